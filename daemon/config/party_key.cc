// Reads the key file of the party.
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "daemon/config/config.h"

namespace peer::daemon {
namespace {

/// More than any key needs.
constexpr std::size_t kMaxBytes = 4096;

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

struct Buffer {
  std::array<char, kMaxBytes + 1> bytes{};
  ~Buffer() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

std::unexpected<Error> unusable(const std::string& path, const std::string& why) {
  return fail(ErrorCode::invalid, "access.party_key_file: " + path + ": " + why);
}

std::string how_to_make(const std::string& path) { return "(umask 077; openssl rand -hex 32 > " + path + ")"; }

}  // namespace

Result<access::PartySecret> load_party_key(const std::string& path) {
  if (path.empty()) {
    return fail(ErrorCode::invalid, "access.mode is \"party\", but access.party_key_file is not set: make a key with " +
                                        how_to_make("/etc/peerd/party.key") +
                                        " and give every peer of the party the same key");
  }
  if (!path.starts_with('/')) return unusable(path, "it must be an absolute path");
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.fd < 0) {
    const int error = errno;
    if (error == ENOENT) {
      return unusable(path, "there is no such file: make it with " + how_to_make(path) +
                                ", or copy it from another peer of the party");
    }
    std::string why = fail_errno(error, "it cannot be read").error().message;
    if (error == EACCES) why += "; for the service: chgrp peerd " + path + " && chmod 640 " + path;
    return unusable(path, why);
  }
  struct stat status;
  if (::fstat(file.fd, &status) != 0) return unusable(path, fail_errno(errno, "it cannot be read").error().message);
  if (!S_ISREG(status.st_mode)) return unusable(path, "it is not a regular file");
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return unusable(path,
                    "other users can read or change it, so it is not secret: make a new key, then chmod 600 (or 640)");
  }
  Buffer text;
  std::size_t size = 0;
  while (size < text.bytes.size()) {
    const ssize_t got = ::read(file.fd, text.bytes.data() + size, text.bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unusable(path, fail_errno(errno, "it cannot be read").error().message);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  auto secret = access::PartySecret::parse(std::string_view(text.bytes.data(), size));
  if (!secret) return unusable(path, secret.error().message + ": make one with " + how_to_make(path));
  return secret;
}

}  // namespace peer::daemon
