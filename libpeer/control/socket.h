// The Unix socket's place in the file system.
#pragma once

#include <string>

#include "libpeer/base/result.h"

namespace peer::control {

/// A listening Unix socket at `path`, mode 0660. It appears there already listening; missing directories are made. What
/// a dead daemon left there is replaced, a living one's socket never. Owns: the descriptor and the name, until close().
class ListeningSocket {
 public:
  /// Fails: busy if somebody answers there; invalid for a path that cannot be a socket's; disk_error.
  static Result<ListeningSocket> open(const std::string& path);
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  /// Removes the name if it is still this socket's; closes the descriptor unless released.
  ~ListeningSocket();

  /// Hands the descriptor to somebody who will close it.
  int release() noexcept;

 private:
  ListeningSocket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
  unsigned long inode_ = 0;
};

}  // namespace peer::control
