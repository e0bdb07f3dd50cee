// Descriptors and file information that posix_disk.cc and posix_file.cc share.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "libpeer/store/disk.h"

namespace peer::store {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// `stable_inodes`: false leaves the inode 0, for file systems that number files anew at each mount.
FileInfo file_info(const struct stat& status, bool stable_inodes) noexcept;

std::unique_ptr<File> posix_file(Descriptor fd, std::string path, bool stable_inodes);

/// Calls until it is not interrupted.
template <class F>
auto retry_interrupted(F call) noexcept(noexcept(call())) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace peer::store
