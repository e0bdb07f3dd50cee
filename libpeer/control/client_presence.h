// Tells whether a daemon runs behind a control socket of systemd, without connecting: connecting would start a stopped
// daemon.
//
// Next to such a socket is a file, SOCKET.alive. The daemon holds a lock on it from the moment it answers commands
// until it begins to stop, and the kernel releases the lock when the daemon dies. The file itself stays. A daemon that
// creates its own socket has no such file: while it is not running, connecting to the socket fails.
#pragma once

#include <string>

#include "libpeer/base/result.h"

namespace peer::control {

enum class Presence {
  unknown,  ///< the file does not exist or cannot be read; only connecting can tell
  running,
  stopped,
};

/// The presence of the daemon at that socket. Does not block.
Presence presence_at(const std::string& socket_path);

/// The daemon's side. Owns: the lock, which the destructor releases.
class PresenceLock {
 public:
  /// Fails: disk_error; the daemon works without the lock.
  static Result<PresenceLock> acquire(const std::string& socket_path);
  /// Removes the file, so that presence_at() returns unknown.
  static void withdraw(const std::string& socket_path) noexcept;
  PresenceLock(PresenceLock&& other) noexcept;
  PresenceLock& operator=(PresenceLock&&) = delete;
  ~PresenceLock();

 private:
  explicit PresenceLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace peer::control
