// The directories that a peer needs before it starts: its state and its library roots.
#pragma once

#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/base/result.h"
#include "libpeer/net/identity.h"

namespace peer::host {

/// The state directory. It is created with mode 0700, and locked, so that one daemon at a time uses it. If this user
/// owns the directory, or the identity in it, and others have access, it is corrected (0700, 0600), and this is logged.
/// Owns: the lock.
class StateDirectory {
 public:
  /// Fails: busy if another daemon uses the directory; refused if other users own it or can replace it; disk_error.
  static Result<StateDirectory> open(const std::string& path, const Log& log);
  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();

  /// Reads the identity, or creates one if there is none. Fails: refused for a file of another user;
  /// invalid for a damaged file, which stays as it is.
  Result<net::Identity> identity() const;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  StateDirectory(std::string path, Log log, int lock) : path_(std::move(path)), log_(std::move(log)), lock_(lock) {}
  std::string path_;
  Log log_;
  int lock_ = -1;
};

/// Creates missing library roots. All must be readable, and the first writable. Fails: with an error that names the
/// root.
Result<void> prepare_roots(const std::vector<std::string>& roots);

/// Raises the limit of open files to the hard limit, but at most 65,536.
void raise_descriptor_limit(const Log& log);

}  // namespace peer::host
