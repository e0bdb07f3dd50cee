#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "libpeer/base/check.h"
#include "libpeer/store/posix_fd.h"

namespace peer::store {

namespace {

/// A path component as a C string, without the heap. A name that is not a single component never reaches the kernel.
class Component {
 public:
  explicit Component(std::string_view name) noexcept {
    if (name.size() > kMax) {
      error_ = ENAMETOOLONG;
    } else if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos ||
               name.find('\0') != name.npos) {
      error_ = EINVAL;
    } else {
      std::memcpy(text_, name.data(), name.size());
      text_[name.size()] = '\0';
    }
  }
  int error() const noexcept { return error_; }
  const char* c_str() const noexcept { return text_; }

 private:
  static constexpr std::size_t kMax = 255;
  char text_[kMax + 1];
  int error_ = 0;
};

/// FAT, FUSE and network shares assign new inode numbers at each mount or look-up.
bool has_stable_inodes(int fd) noexcept {
  struct statfs status;
  if (::fstatfs(fd, &status) != 0) return false;
  constexpr unsigned long kFat = 0x4d44;
  constexpr unsigned long kExfat = 0x2011BAB0;
  constexpr unsigned long kFuse = 0x65735546;
  constexpr unsigned long kSmb2 = 0xFE534D42;
  constexpr unsigned long kCifs = 0xFF534D42;
  const auto type = static_cast<unsigned long>(status.f_type) & 0xFFFFFFFF;
  return type != kFat && type != kExfat && type != kFuse && type != kSmb2 && type != kCifs;
}

struct CloseDir {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};

class PosixDirectory final : public Directory {
 public:
  PosixDirectory(FileDescriptor fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)), stable_inodes_(has_stable_inodes(fd_.get())) {}

  const std::string& path() const override { return path_; }

  Result<std::vector<DirectoryEntry>> list() override {
    // Uses a new handle, because listing moves a handle's position.
    FileDescriptor own(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) return fail_errno(errno, path_);
    const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(own.get()));
    if (!stream) return fail_errno(errno, path_);
    own.release();
    std::vector<DirectoryEntry> entries;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) {
        if (errno != 0) return fail_errno(errno, path_);
        return entries;
      }
      const std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), type_of(*entry)});
    }
  }

  Result<std::vector<DirectoryId>> ancestry() override {
    std::vector<DirectoryId> all;
    FileDescriptor above;
    for (int at = fd_.get();;) {
      struct stat status;
      if (::fstat(at, &status) != 0) return fail_errno(errno, path_);
      const DirectoryId id{status.st_dev, status.st_ino};
      if (!all.empty() && all.back() == id) return all;  // the root is its own parent
      all.push_back(id);
      FileDescriptor next(::openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!next) return fail_errno(errno, path_);
      above = std::move(next);
      at = above.get();
    }
  }

  Result<FileInfo> info(std::string_view name) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    struct stat status;
    if (::fstatat(fd_.get(), component.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return failed(errno, name);
    FileInfo info = file_info(status, stable_inodes_);
    info.mount = info.type == FileType::directory && is_mount(component, status);
    return info;
  }

  Result<void> may_remove_entries() override {
    if (::faccessat(fd_.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) return fail_errno(errno, path_);
    struct stat own;
    if (::fstat(fd_.get(), &own) != 0) return fail_errno(errno, path_);
    const uid_t user = ::geteuid();
    if ((own.st_mode & S_ISVTX) == 0 || user == 0 || own.st_uid == user) return {};
    const auto entries = list();
    if (!entries) return std::unexpected(entries.error());
    for (const DirectoryEntry& entry : *entries) {
      struct stat status;
      if (::fstatat(fd_.get(), entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (status.st_uid != user) return failed(EPERM, entry.name);
    }
    return {};
  }

  Result<std::unique_ptr<Directory>> open_directory(std::string_view name, bool follow) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
    FileDescriptor fd(retry_interrupted([&] { return ::openat(fd_.get(), component.c_str(), flags); }));
    if (!fd) return failed(errno, name);
    return std::make_unique<PosixDirectory>(std::move(fd), full(name));
  }

  Result<FollowedLink> follow_link(std::string_view name) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    auto opened = open_link(fd_.get(), component.c_str());
    if (!opened) return failed(opened.error(), name);
    return FollowedLink{std::make_unique<PosixDirectory>(std::move(opened->directory), full(name)), opened->owner,
                        std::move(opened->links)};
  }

  Result<void> make_directory(std::string_view name) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    return check(::mkdirat(fd_.get(), component.c_str(), 0777), name);
  }

  Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    // O_NONBLOCK: opening a FIFO that has replaced a file must not block the worker.
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    switch (mode) {
      case OpenMode::read: flags |= O_RDONLY; break;
      case OpenMode::write: flags |= O_RDWR; break;
      case OpenMode::create: flags |= O_RDWR | O_CREAT; break;
      case OpenMode::create_new:
      case OpenMode::create_private: flags |= O_RDWR | O_CREAT | O_EXCL; break;
    }
    const mode_t permissions = mode == OpenMode::create_private ? 0600 : 0666;
    FileDescriptor fd(retry_interrupted([&] { return ::openat(fd_.get(), component.c_str(), flags, permissions); }));
    if (!fd) return failed(errno, name);
    struct stat status;
    if (::fstat(fd.get(), &status) != 0) return failed(errno, name);
    if (!S_ISREG(status.st_mode)) return failed(S_ISDIR(status.st_mode) ? EISDIR : EINVAL, name);
    return posix_file(std::move(fd), full(name), stable_inodes_);
  }

  Result<std::string> read_link(std::string_view name) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    std::string target(4096, '\0');
    const ssize_t size = ::readlinkat(fd_.get(), component.c_str(), target.data(), target.size());
    if (size < 0) return failed(errno, name);
    if (static_cast<std::size_t>(size) == target.size()) return failed(ENAMETOOLONG, name);
    target.resize(static_cast<std::size_t>(size));
    return target;
  }

  Result<void> make_symlink(std::string_view name, std::string_view target) override {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    return check(::symlinkat(std::string(target).c_str(), fd_.get(), component.c_str()), name);
  }

  Result<void> rename(std::string_view from, Directory& to_directory, std::string_view to, RenameMode mode) override {
    auto* target = dynamic_cast<PosixDirectory*>(&to_directory);
    PEER_CHECK(target != nullptr);
    const Component old_name(from);
    const Component new_name(to);
    if (old_name.error() != 0) return failed(old_name.error(), from);
    if (new_name.error() != 0) return target->failed(new_name.error(), to);
    const int to_fd = target->fd_.get();
    if (mode != RenameMode::replace) {
      const unsigned flags = mode == RenameMode::exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE;
      if (::renameat2(fd_.get(), old_name.c_str(), to_fd, new_name.c_str(), flags) == 0) return {};
      const bool unsupported = errno == EINVAL || errno == ENOSYS;
      if (mode == RenameMode::exchange || !unsupported) return target->failed(errno, to);
      // The file system lacks the flag. Checks for the name first. No other program is expected to create it in
      // between.
      struct stat status;
      if (::fstatat(to_fd, new_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return target->failed(EEXIST, to);
      if (errno != ENOENT) return target->failed(errno, to);
    }
    return target->check(::renameat(fd_.get(), old_name.c_str(), to_fd, new_name.c_str()), to);
  }

  Result<void> remove_file(std::string_view name) override { return remove(name, 0); }
  Result<void> remove_directory(std::string_view name) override { return remove(name, AT_REMOVEDIR); }

  Result<void> sync() override {
    if (::fsync(fd_.get()) != 0) return fail_errno(errno, path_);
    return {};
  }
  Result<void> sync_file_system() override {
    if (::syncfs(fd_.get()) != 0) return fail_errno(errno, path_);
    return {};
  }
  Result<Space> space() override {
    struct statvfs status;
    if (retry_interrupted([&] { return ::fstatvfs(fd_.get(), &status); }) != 0) return fail_errno(errno, path_);
    return Space{static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize,
                 static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize};
  }

 private:
  bool is_mount(const Component& component, const struct stat& status) const noexcept {
    struct statx attributes;
    if (::statx(fd_.get(), component.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &attributes) == 0 &&
        (attributes.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
      return (attributes.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    }
    struct stat own;  // before Linux 5.8, a mount point is recognized by its device
    return ::fstat(fd_.get(), &own) == 0 && own.st_dev != status.st_dev;
  }
  std::string full(std::string_view name) const {
    std::string text = path_;
    if (!text.ends_with('/')) text += '/';
    text += name;
    return text;
  }
  std::unexpected<Error> failed(int error, std::string_view name) const { return fail_errno(error, full(name)); }
  Result<void> check(int result, std::string_view name) const {
    if (result != 0) return failed(errno, name);
    return {};
  }
  Result<void> remove(std::string_view name, int flags) {
    const Component component(name);
    if (component.error() != 0) return failed(component.error(), name);
    return check(::unlinkat(fd_.get(), component.c_str(), flags), name);
  }
  FileType type_of(const dirent& entry) const noexcept {
    switch (entry.d_type) {
      case DT_REG: return FileType::regular;
      case DT_DIR: return FileType::directory;
      case DT_LNK: return FileType::symlink;
      case DT_UNKNOWN: {  // some file systems do not report the type
        struct stat status;
        if (::fstatat(fd_.get(), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return FileType::other;
        return file_info(status, false).type;
      }
      default: return FileType::other;
    }
  }

  FileDescriptor fd_;
  std::string path_;
  bool stable_inodes_;
};

/// Creates every missing directory of the path.
Result<void> make_path(const std::string& path, mode_t mode) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES) {
      return fail_errno(errno, part);
    }
    if (end == path.npos) return {};  // a directory that could not be created fails to open, with the reason
  }
}

class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<Directory>> open(const std::string& path, bool create, bool private_mode) override {
    if (!path.starts_with('/')) return fail_errno(EINVAL, path);
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    FileDescriptor fd(retry_interrupted([&] { return ::open(path.c_str(), flags); }));
    if (!fd && errno == ENOENT && create) {
      const Result<void> made = make_path(path, private_mode ? 0700 : 0755);
      if (!made) return std::unexpected(made.error());
      fd = FileDescriptor(retry_interrupted([&] { return ::open(path.c_str(), flags); }));
    }
    if (!fd) return fail_errno(errno, path);
    return std::make_unique<PosixDirectory>(std::move(fd), path);
  }
};

}  // namespace

std::unique_ptr<Disk> posix_disk() { return std::make_unique<PosixDisk>(); }

}  // namespace peer::store
