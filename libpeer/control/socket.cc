#include "libpeer/control/socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace peer::control {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// Succeeds if nothing is at `path`, or a socket on which no program listens.
Result<void> check_free(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, path);
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(ErrorCode::invalid,
                "\"" + path + "\" exists and is not a socket: remove it, or choose another --socket");
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return fail_errno(errno, "socket");
  const sockaddr_un address = address_of(path);
  const int rc = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = rc == 0 ? 0 : errno;
  close(probe);
  // EAGAIN: a daemon listens, and its backlog is full.
  if (error == 0 || error == EAGAIN)
    return fail(ErrorCode::busy, "another daemon answers at \"" + path + "\": stop it, or choose another --socket");
  if (error == ECONNREFUSED || error == ENOENT) return {};
  return fail_errno(error, path);
}

unsigned long inode_of(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::open(const std::string& path) {
  const std::string temporary = path + "~";
  if (path.empty() || temporary.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::invalid, "the socket path \"" + path + "\" must have 1 to " +
                                        std::to_string(sizeof(sockaddr_un::sun_path) - 2) +
                                        " bytes: choose another --socket");
  }
  if (const auto parent = std::filesystem::path(path).parent_path(); !parent.empty()) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    if (error) return fail_errno(error.value(), parent.string());
  }
  if (auto free = check_free(path); !free) return std::unexpected(free.error());

  ListeningSocket result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), {});
  if (result.fd_ < 0) return fail_errno(errno, "socket");
  unlink(temporary.c_str());
  const sockaddr_un address = address_of(temporary);
  if (bind(result.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, temporary);
  // No client can connect before listen(), so the mode is set in time.
  const bool ready = chmod(temporary.c_str(), 0660) == 0 && listen(result.fd_, 64) == 0 &&
                     std::rename(temporary.c_str(), path.c_str()) == 0;
  if (!ready) {
    const int error = errno;
    unlink(temporary.c_str());
    return fail_errno(error, path);
  }
  result.path_ = path;
  result.inode_ = inode_of(path);
  return result;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::exchange(other.path_, {})), inode_(other.inode_) {}

ListeningSocket::~ListeningSocket() {
  if (!path_.empty() && inode_of(path_) == inode_) unlink(path_.c_str());
  if (fd_ >= 0) close(fd_);
}

int ListeningSocket::release() noexcept { return std::exchange(fd_, -1); }

}  // namespace peer::control
