// Follows symlinks one by one, through open handles.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "libpeer/store/posix_fd.h"
#include "libpeer/store/writers.h"

namespace peer::store {

namespace {

constexpr std::size_t kMaxLinks = 40;  // as in Linux
constexpr int kHandle = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

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
  links.push_back({status.st_uid, own, own && writable_by_others(at.get())});
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
