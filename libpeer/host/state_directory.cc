#include "libpeer/host/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "libpeer/store/disk.h"

namespace peer::host {
namespace {

constexpr const char* kIdentityName = "identity.pem";

std::unexpected<Error> unusable(const std::string& what, const std::string& path, int error) {
  return fail_errno(error, what + " " + path);
}

Result<void> make_directories(const std::string& what, const std::string& path, mode_t mode) {
  std::error_code error;
  const std::filesystem::path whole(path);
  std::filesystem::create_directories(whole.parent_path(), error);
  const std::string missing = what + " does not exist and cannot be created:";
  if (error) return unusable(missing, path, error.value());
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return unusable(missing, path, errno);
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return unusable(what, path, errno);
  if (!S_ISDIR(info.st_mode)) return unusable(what, path, ENOTDIR);
  return {};
}

/// Writes a file that only its owner can read. After a crash the file is either complete or missing.
Result<void> write_secret(const std::string& directory, const char* name, const std::string& content) {
  const auto opened = store::posix_disk()->open(directory, false, false);
  if (!opened) return std::unexpected(opened.error());
  const std::vector<std::uint8_t> bytes(content.begin(), content.end());
  return store::write_file_atomically(**opened, name, bytes, store::OpenMode::create_private);
}

}  // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path) {
  if (auto made = make_directories("the state directory", path, 0700); !made) return std::unexpected(made.error());
  const std::string lock_path = path + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return unusable("the state directory", path, errno);
  StateDirectory directory(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return unusable("the lock of the state directory", path, errno);
    return fail(ErrorCode::busy, "another daemon uses the state directory " + path +
                                     ": stop it, or choose another directory with --state");
  }
  return directory;
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateDirectory::~StateDirectory() {
  if (lock_ >= 0) close(lock_);
}

Result<net::Identity> StateDirectory::identity() const {
  const std::string path = file(kIdentityName);
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return fail_errno(errno, path);
    auto made = net::Identity::generate();
    if (!made) return made;
    if (auto written = write_secret(path_, kIdentityName, made->to_pem()); !written)
      return std::unexpected(written.error());
    return made;
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail_errno(errno, path);
  const std::string pem((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) return fail_errno(EIO, path);
  auto identity = net::Identity::from_pem(pem);
  if (!identity) {
    return fail(ErrorCode::invalid, "the identity in " + path + " cannot be used (" + identity.error().message +
                                        "): restore the file from a backup, or remove it to start as a new peer");
  }
  return identity;
}

Result<void> prepare_roots(const std::vector<std::string>& roots) {
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const std::string& root = roots[i];
    if (auto made = make_directories("the library root", root, 0777); !made) return made;
    const int wanted = R_OK | X_OK | (i == 0 ? W_OK : 0);
    if (faccessat(AT_FDCWD, root.c_str(), wanted, AT_EACCESS) != 0) {
      const int error = errno;
      return unusable(i == 0 ? "the first library root receives downloads and must be writable:" : "the library root",
                      root, error);
    }
  }
  return {};
}

void raise_descriptor_limit(const Log& log) {
  static constexpr rlim_t kEnough = 65536;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kEnough);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    log.warn("cannot raise the limit of open files to " + std::to_string(wanted));
}

}  // namespace peer::host
