#include "libpeer/downloads/disk_trouble.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace peer::downloads {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kFirstPause = 2s;
constexpr runtime::Duration kLongestPause = 30s;
/// After this much time without trouble, the next trouble counts as new and starts with the shortest pause.
constexpr runtime::Duration kQuiet = 60s;

/// Errors that only a change of names, links or the file system resolves.
constexpr std::array kLasting{EEXIST, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EFBIG, EINVAL, EXDEV, ENOTEMPTY, EMLINK};
}  // namespace

bool DiskTrouble::may_pass(const Error& error) {
  if (error.code == ErrorCode::no_space) return true;
  return error.code == ErrorCode::disk_error && std::ranges::find(kLasting, error.system) == kLasting.end();
}

bool DiskTrouble::record(const Error& met, runtime::TimePoint now, std::uint64_t done) {
  if (now - at > kQuiet) tries = 0;
  const bool is_new = !error || error->message != met.message;
  ++tries;
  error = met;
  at = now;
  bytes_done = std::max(bytes_done, done);
  return is_new;
}

runtime::TimePoint DiskTrouble::next_try() const {
  runtime::Duration pause = kFirstPause;
  for (unsigned i = 1; i < tries && pause < kLongestPause; ++i) pause *= 2;
  return at + std::min(pause, kLongestPause);
}

bool DiskTrouble::note_progress(std::uint64_t done) {
  staged = staged || done > 0;
  if (!error || done <= bytes_done) return false;
  error.reset();
  return true;
}

}  // namespace peer::downloads
