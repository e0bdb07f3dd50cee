#include "libpeer/host/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace peer::host {
namespace {

std::unexpected<Error> unusable(const std::string& what, const std::string& path, int error) {
  auto failure = fail_errno(error, what + " " + path);
  return failure;
}

Result<void> make_directories(const std::string& what, const std::string& path, mode_t mode) {
  std::error_code error;
  const std::filesystem::path whole(path);
  std::filesystem::create_directories(whole.parent_path(), error);
  const std::string missing = what + " is not there and cannot be made:";
  if (error) return unusable(missing, path, error.value());
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return unusable(missing, path, errno);
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return unusable(what, path, errno);
  if (!S_ISDIR(info.st_mode)) return unusable(what, path, ENOTDIR);
  return {};
}

/// Whole and durable, or not at all; readable by nobody else.
Result<void> write_secret(const std::string& directory, const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail_errno(errno, temporary);
  const ssize_t written = write(fd, content.data(), content.size());
  int error = 0;
  if (written != static_cast<ssize_t>(content.size())) error = written < 0 ? errno : ENOSPC;
  if (error == 0 && (fchmod(fd, 0600) != 0 || fsync(fd) != 0)) error = errno;
  close(fd);
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return fail_errno(error, path);
  }
  const int parent = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
  return {};
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
    return fail(ErrorCode::busy,
                "another daemon uses the state directory " + path + ": stop it, or choose another one with --state");
  }
  return directory;
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateDirectory::~StateDirectory() {
  if (lock_ >= 0) close(lock_);
}

Result<net::Identity> StateDirectory::identity() const {
  const std::string path = file("identity.pem");
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return fail_errno(errno, path);
    auto made = net::Identity::generate();
    if (!made) return made;
    if (auto written = write_secret(path_, path, made->to_pem()); !written) return std::unexpected(written.error());
    return made;
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail_errno(errno, path);
  const std::string pem((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) return fail_errno(EIO, path);
  auto identity = net::Identity::from_pem(pem);
  if (!identity) {
    return fail(ErrorCode::invalid, "the identity in " + path + " cannot be used (" + identity.error().message +
                                        "): restore it from a backup, or remove it to begin as a new peer");
  }
  return identity;
}

Result<void> prepare_roots(const std::vector<std::string>& roots) {
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const std::string& root = roots[i];
    if (auto made = make_directories("the library", root, 0777); !made) return made;
    const int wanted = R_OK | X_OK | (i == 0 ? W_OK : 0);
    if (faccessat(AT_FDCWD, root.c_str(), wanted, AT_EACCESS) != 0) {
      const int error = errno;
      return unusable(i == 0 ? "the first library receives downloads and must be writable:" : "the library", root,
                      error);
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
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log.warn("the limit of open files stays as it was");
}

}  // namespace peer::host
