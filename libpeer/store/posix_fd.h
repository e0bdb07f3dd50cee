// What the POSIX disk's source files share: file descriptors, file information, and symlinks.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/store/disk.h"

namespace peer::store {

/// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// `stable_inodes`: false leaves the inode 0, for file systems that renumber their files at each mount.
FileInfo file_info(const struct stat& status, bool stable_inodes) noexcept;

std::unique_ptr<File> posix_file(FileDescriptor fd, std::string path, bool stable_inodes);

struct OpenedLink {
  FileDescriptor directory;
  std::uint32_t owner = 0;
  std::vector<LinkStep> links;
};
/// Directory::follow_link(), without the names of the error.
std::expected<OpenedLink, int> open_link(int directory, const char* name);

/// Repeats `call` while a signal interrupts it.
template <class F>
auto retry_interrupted(F call) noexcept(noexcept(call())) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace peer::store
