#include "libpeer/store/writers.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "libpeer/store/posix_fd.h"

namespace peer::store {

namespace {

/// Whether an access control list grants more than the mode shows. True if this cannot be determined.
bool has_access_list(int directory) noexcept {
  const FileDescriptor readable(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!readable) return true;
  const ssize_t size = ::fgetxattr(readable.get(), "system.posix_acl_access", nullptr, 0);
  return size >= 0 || (errno != ENODATA && errno != EOPNOTSUPP);
}

/// Whether the group has the owner as its only member, as the groups that distributions create for each user.
bool is_private_group(int directory, const struct stat& status) {
  std::array<char, 16384> buffer;
  passwd user{};
  passwd* found_user = nullptr;
  if (::getpwuid_r(status.st_uid, &user, buffer.data(), buffer.size(), &found_user) != 0 || found_user == nullptr)
    return false;
  const std::string name = user.pw_name;
  if (user.pw_gid != status.st_gid) return false;
  group members{};
  group* found_group = nullptr;
  if (::getgrgid_r(status.st_gid, &members, buffer.data(), buffer.size(), &found_group) != 0 || found_group == nullptr)
    return false;
  if (name != members.gr_name) return false;
  for (char** member = members.gr_mem; *member != nullptr; ++member) {
    if (name != *member) return false;
  }
  return !has_access_list(directory);
}

/// Reads a file of numbers with scanf(). Returns `otherwise` if that fails.
unsigned read_number(const char* path, const char* format, unsigned otherwise) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), std::fclose);
  unsigned number = 0;
  return file && std::fscanf(file.get(), format, &number) == 1 ? number : otherwise;
}

/// A user namespace shows every user that it does not map, root included, as one user. Root is meant in practice.
bool is_unmapped(uid_t user) {
  constexpr unsigned kEveryUser = 4294967295U;
  if (read_number("/proc/self/uid_map", "%*u %*u %u", kEveryUser) == kEveryUser) return false;
  return user == read_number("/proc/sys/fs/overflowuid", "%u", 65534);
}

bool is_trusted(uid_t user) { return user == 0 || user == ::geteuid() || is_unmapped(user); }

}  // namespace

std::optional<int> writable_by_others(int directory) {
  FileDescriptor above;
  struct stat below{};
  int level = 0;
  for (int at = directory;; ++level) {
    struct stat status;
    if (::fstat(at, &status) != 0) return level;
    const bool top = level > 0 && status.st_dev == below.st_dev && status.st_ino == below.st_ino;
    if (top) return std::nullopt;
    if (!is_trusted(status.st_uid)) return level;
    const bool sticky = level > 0 && (status.st_mode & S_ISVTX) != 0;
    const bool group = (status.st_mode & S_IWGRP) != 0 && !is_private_group(at, status);
    if (!sticky && (group || (status.st_mode & S_IWOTH) != 0)) return level;
    FileDescriptor next(::openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!next) return level;
    below = status;
    above = std::move(next);
    at = above.get();
  }
}

}  // namespace peer::store
