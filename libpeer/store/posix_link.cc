// Follows symlinks one by one, through open handles.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "libpeer/store/posix_fd.h"

namespace peer::store {

namespace {

constexpr std::size_t kMaxLinks = 40;  // as in Linux
constexpr int kHandle = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// Whether an access control list grants more than the mode shows. In doubt: yes.
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

/// Whether other users may write to `directory`, or replace a directory above it. In doubt: yes.
bool others_may_write(int directory) {
  FileDescriptor above;
  struct stat below{};
  for (int at = directory;;) {
    struct stat status;
    if (::fstat(at, &status) != 0) return true;
    if (at != directory && status.st_dev == below.st_dev && status.st_ino == below.st_ino) return false;  // the root
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) return true;
    const bool sticky = at != directory && (status.st_mode & S_ISVTX) != 0;  // only owners rename what is in it
    const bool group = (status.st_mode & S_IWGRP) != 0 && !is_private_group(at, status);
    if (!sticky && (group || (status.st_mode & S_IWOTH) != 0)) return true;
    FileDescriptor next(::openat(at, "..", kHandle));
    if (!next) return true;
    below = status;
    above = std::move(next);
    at = above.get();
  }
}

/// The way to the directory, as far as it is known.
struct Walk {
  FileDescriptor at;
  std::string rest;
  std::vector<LinkStep> links;

  /// Takes one component. Returns an errno, or 0.
  int step();

 private:
  int follow(const std::string& name);
};

int Walk::step() {
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string name = rest.substr(0, end);
  rest.erase(0, end + 1);
  if (name.empty() || name == ".") return 0;
  FileDescriptor next(retry_interrupted([&] { return ::openat(at.get(), name.c_str(), kHandle); }));
  if (!next) return errno == ENOTDIR || errno == ELOOP ? follow(name) : errno;
  at = std::move(next);
  return 0;
}

int Walk::follow(const std::string& name) {
  const FileDescriptor link(::openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  if (!link || ::fstat(link.get(), &status) != 0) return errno;
  if (!S_ISLNK(status.st_mode)) return ENOTDIR;
  if (links.size() == kMaxLinks) return ELOOP;
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
  if (size < 0) return errno;
  if (static_cast<std::size_t>(size) == target.size()) return ENAMETOOLONG;
  target.resize(static_cast<std::size_t>(size));
  const bool own = status.st_uid == ::geteuid();
  links.push_back({status.st_uid, own, own && others_may_write(at.get())});
  if (target.starts_with('/')) {
    at = FileDescriptor(::open("/", kHandle));
    if (!at) return errno;
  }
  rest = target + "/" + rest;
  return 0;
}

}  // namespace

std::expected<OpenedLink, int> open_link(int directory, const char* name) {
  Walk walk{FileDescriptor(::openat(directory, ".", kHandle)), name, {}};
  if (!walk.at) return std::unexpected(errno);
  while (!walk.rest.empty()) {
    if (const int error = walk.step(); error != 0) return std::unexpected(error);
  }
  FileDescriptor opened(
      retry_interrupted([&] { return ::openat(walk.at.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  struct stat status;
  if (!opened || ::fstat(opened.get(), &status) != 0) return std::unexpected(errno);
  return OpenedLink{std::move(opened), status.st_uid, std::move(walk.links)};
}

}  // namespace peer::store
