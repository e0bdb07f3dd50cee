#include "libpeer/control/client_presence.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace peer::control {
namespace {

std::string file_of(const std::string& socket_path) { return socket_path + ".alive"; }

/// A lock on the whole file, for the F_OFD commands: it belongs to the open file rather than to the process, and ends
/// with the last descriptor.
struct flock whole(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Presence presence_at(const std::string& socket_path) {
  const int fd = open(file_of(socket_path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return Presence::unknown;
  struct flock lock = whole(F_RDLCK);
  const bool asked = fcntl(fd, F_OFD_GETLK, &lock) == 0;
  close(fd);
  if (!asked) return Presence::unknown;
  return lock.l_type == F_UNLCK ? Presence::stopped : Presence::running;
}

Result<PresenceLock> PresenceLock::acquire(const std::string& socket_path) {
  const std::string path = file_of(socket_path);
  // Users of the socket's group may read the file; only the daemon's user may lock it.
  PresenceLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0640));
  if (lock.fd_ < 0) return fail_errno(errno, path);
  struct flock wanted = whole(F_WRLCK);
  if (fcntl(lock.fd_, F_OFD_SETLK, &wanted) != 0) return fail_errno(errno, path);
  return lock;
}

void PresenceLock::withdraw(const std::string& socket_path) noexcept { unlink(file_of(socket_path).c_str()); }

PresenceLock::PresenceLock(PresenceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

PresenceLock::~PresenceLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace peer::control
