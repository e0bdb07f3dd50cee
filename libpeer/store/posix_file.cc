#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "libpeer/store/posix_fd.h"

namespace peer::store {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) noexcept {
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

FileType file_type(mode_t mode) noexcept {
  if (S_ISREG(mode)) return FileType::regular;
  if (S_ISDIR(mode)) return FileType::directory;
  if (S_ISLNK(mode)) return FileType::symlink;
  return FileType::other;
}

class PosixFile final : public File {
 public:
  PosixFile(FileDescriptor fd, std::string path, bool stable_inodes)
      : fd_(std::move(fd)), path_(std::move(path)), stable_inodes_(stable_inodes) {}

  Result<std::size_t> read_at(std::span<std::uint8_t> into, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t count = retry_interrupted([&] {
        return ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return fail_errno(errno, path_);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Result<void> write_at(std::span<const std::uint8_t> from, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < from.size()) {
      const ssize_t count = retry_interrupted([&] {
        return ::pwrite(fd_.get(), from.data() + done, from.size() - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return fail_errno(errno, path_);
      if (count == 0) return fail_errno(EIO, path_);
      done += static_cast<std::size_t>(count);
    }
    return {};
  }

  Result<FileInfo> info() override {
    struct stat status;
    if (::fstat(fd_.get(), &status) != 0) return fail_errno(errno, path_);
    return file_info(status, stable_inodes_);
  }

  Result<void> allocate(std::uint64_t size) override {
    if (size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return fail_errno(EFBIG, path_);
    if (size > 0 && !in_memory()) {
      const int failed = retry_interrupted([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)); });
      if (failed != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return fail_errno(errno, path_);
    }
    return truncate(size);
  }

  Result<void> truncate(std::uint64_t size) override {
    if (size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return fail_errno(EFBIG, path_);
    return check(retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }));
  }

  Result<void> set_mtime(std::int64_t time) override {
    // Rounds down, also before 1970.
    std::int64_t seconds = time / kSecond;
    std::int64_t rest = time % kSecond;
    if (rest < 0) {
      rest += kSecond;
      --seconds;
    }
    timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(seconds), static_cast<long>(rest)}};
    if (!stable_inodes_) {
      // Some FUSE file systems (bindfs) set an omitted time to the current one.
      struct stat status;
      if (::fstat(fd_.get(), &status) != 0) return fail_errno(errno, path_);
      times[0] = status.st_atim;
    }
    return check(::futimens(fd_.get(), times));
  }

  Result<void> set_executable(bool executable) override {
    struct stat status;
    if (::fstat(fd_.get(), &status) != 0) return fail_errno(errno, path_);
    mode_t mode = status.st_mode & 07777;
    // Every user that may read the file may also run it.
    mode = executable ? mode | ((mode & 0444) >> 2) : mode & ~static_cast<mode_t>(0111);
    if (mode == (status.st_mode & 07777)) return {};
    if (::fchmod(fd_.get(), mode) == 0) return {};
    // FAT has one mode for all files and refuses others; so do network shares and FUSE without permissions.
    if ((errno == EPERM || errno == EOPNOTSUPP) && !stable_inodes_) return {};
    return fail_errno(errno, path_);
  }

  Result<void> sync() override { return check(::fdatasync(fd_.get())); }

 private:
  Result<void> check(int failed) const {
    if (failed != 0) return fail_errno(errno, path_);
    return {};
  }

  /// On tmpfs, reserving blocks has no use and is slow: it allocates the pages one by one, 0.4 s for each GiB.
  bool in_memory() const noexcept {
    struct statfs status;
    return ::fstatfs(fd_.get(), &status) == 0 && status.f_type == TMPFS_MAGIC;
  }

  FileDescriptor fd_;
  std::string path_;
  bool stable_inodes_;
};

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

FileInfo file_info(const struct stat& status, bool stable_inodes) noexcept {
  return FileInfo{.type = file_type(status.st_mode),
                  .size = static_cast<std::uint64_t>(status.st_size),
                  .mtime = nanoseconds(status.st_mtim),
                  .ctime = nanoseconds(status.st_ctim),
                  .inode = stable_inodes ? static_cast<std::uint64_t>(status.st_ino) : 0,
                  .executable = (status.st_mode & S_IXUSR) != 0};
}

std::unique_ptr<File> posix_file(FileDescriptor fd, std::string path, bool stable_inodes) {
  return std::make_unique<PosixFile>(std::move(fd), std::move(path), stable_inodes);
}

}  // namespace peer::store
