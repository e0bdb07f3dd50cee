// Whether a daemon runs behind a control socket that systemd keeps, without connecting: connecting starts a stopped
// one.
//
// Beside such a socket lies a file, SOCKET.alive. The daemon holds a lock on it from the moment it answers commands
// until it begins to stop, and the kernel drops the lock when the daemon dies. The file itself stays. A daemon that
// makes its socket itself has no such file: where it does not run, nobody listens.
#pragma once

#include <string>

#include "libpeer/base/result.h"

namespace peer::control {

enum class Presence {
  unknown,  ///< there is no such file, or it may not be read: only connecting tells
  running,
  stopped,
};

/// Of the daemon at that socket. Does not block.
Presence presence_at(const std::string& socket_path);

/// The daemon's side: holds the lock for as long as it lives.
class PresenceLock {
 public:
  /// Fails: disk_error; the daemon can do without.
  static Result<PresenceLock> take(const std::string& socket_path);
  /// Removes the file: nothing is known of the daemon at that socket then.
  static void withdraw(const std::string& socket_path) noexcept;
  PresenceLock(PresenceLock&& other) noexcept;
  PresenceLock& operator=(PresenceLock&&) = delete;
  ~PresenceLock();

 private:
  explicit PresenceLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace peer::control
