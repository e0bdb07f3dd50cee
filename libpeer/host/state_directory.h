// The directories a daemon needs before it starts: its state, its libraries.
#pragma once

#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/base/result.h"
#include "libpeer/net/identity.h"

namespace peer::host {

/// The state directory, made with mode 0700, and locked: one daemon at a time has it.
/// Owns: the lock, for as long as it lives.
class StateDirectory {
 public:
  /// Fails: busy when another daemon has it; disk_error.
  static Result<StateDirectory> open(const std::string& path);
  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();

  /// The identity kept here; a new one is made where there is none. Fails: invalid for a damaged file, which is left as
  /// it is.
  Result<net::Identity> identity() const;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  StateDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_ = -1;
};

/// Makes missing library roots; all must be readable, the first writable. Fails: naming the directory.
Result<void> prepare_roots(const std::vector<std::string>& roots);

/// As many descriptors as the hard limit gives, up to 65,536.
void raise_descriptor_limit(const Log& log);

}  // namespace peer::host
