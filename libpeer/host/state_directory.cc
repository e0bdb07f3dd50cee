#include "libpeer/host/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "libpeer/runtime/defer.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/writers.h"

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

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode & 07777U);
  return text.data();
}

/// Takes all access from others than the owner. `what` and `path` name the file for people.
Result<void> take_access(int file, const char* what, const std::string& path, const Log& log) {
  struct stat info{};
  if (fstat(file, &info) != 0) return unusable(what, path, errno);
  const std::string name = std::string(what) + " " + path;
  if (info.st_uid != geteuid()) {
    return fail(ErrorCode::refused, name + " belongs to another user (" + std::to_string(info.st_uid) +
                                        "), who could read or change what peerd keeps secret: type 'chown -R " +
                                        std::to_string(geteuid()) + " " + path +
                                        "' as root, or choose another directory with --state");
  }
  const mode_t mode = info.st_mode;
  if ((mode & 077) == 0) return {};
  if (fchmod(file, mode & 0700) != 0 || fstat(file, &info) != 0 || (info.st_mode & 077) != 0) {
    return fail(ErrorCode::refused, name + " has mode " + octal(mode) +
                                        ", which gives other users access, and its file system does not allow to "
                                        "change that: choose another directory with --state");
  }
  log.warn(name + " had mode " + octal(mode) + ", which gave other users access: changed to " + octal(info.st_mode));
  return {};
}

Result<void> protect_directory(const std::string& path, const Log& log) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return unusable("the state directory", path, errno);
  const runtime::Defer closes([directory] { close(directory); });
  if (auto taken = take_access(directory, "the state directory", path, log); !taken) return taken;
  const std::optional<int> level = store::writable_by_others(directory);
  if (!level) return {};
  std::error_code error;
  std::filesystem::path above = std::filesystem::canonical(path, error);
  for (int i = 0; i < *level; ++i) above = above.parent_path();
  return fail(ErrorCode::refused, "the state directory " + path + " is not safe: other users can write to " +
                                      above.string() + " and replace it: type 'chmod go-w " + above.string() +
                                      "' if that directory belongs to root or to this user, or choose another "
                                      "directory with --state");
}

Result<void> protect_identity(const std::string& path, const Log& log) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return fail_errno(errno, path);
  const runtime::Defer closes([file] { close(file); });
  return take_access(file, "the identity", path, log);
}

}  // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path, const Log& log) {
  if (auto made = make_directories("the state directory", path, 0700); !made) return std::unexpected(made.error());
  if (auto safe = protect_directory(path, log); !safe) return std::unexpected(safe.error());
  const std::string lock_path = path + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return unusable("the state directory", path, errno);
  StateDirectory directory(path, log, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return unusable("the lock of the state directory", path, errno);
    return fail(ErrorCode::busy, "another daemon uses the state directory " + path +
                                     ": stop it, or choose another directory with --state");
  }
  return directory;
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), log_(std::move(other.log_)), lock_(std::exchange(other.lock_, -1)) {}

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
  if (auto safe = protect_identity(path, log_); !safe) return std::unexpected(safe.error());
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
