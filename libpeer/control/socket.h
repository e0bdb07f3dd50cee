// ListeningSocket: a listening Unix socket at a path.
#pragma once

#include <string>

#include "libpeer/base/result.h"

namespace peer::control {

/// The socket has mode 0660 and appears at its path when it already listens. open() creates missing directories and
/// replaces a socket on which no program listens. Owns: the descriptor and the name.
class ListeningSocket {
 public:
  /// Fails: busy if another daemon answers at the path; invalid if the path is empty, too long, or that of another
  /// file; disk_error.
  static Result<ListeningSocket> open(const std::string& path);
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  /// Removes the name if it still belongs to this socket, and closes the descriptor unless it was released.
  ~ListeningSocket();

  /// Passes the descriptor to the caller, who must close it.
  int release() noexcept;

 private:
  ListeningSocket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
  unsigned long inode_ = 0;
};

}  // namespace peer::control
