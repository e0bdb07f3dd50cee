// DiskTrouble: a full, failing, read-only or unreachable disk pauses only the download that encountered it, which is
// retried after growing pauses until it makes progress. Pure: no clock.
#pragma once

#include <cstdint>
#include <optional>

#include "libpeer/base/result.h"
#include "libpeer/runtime/executor.h"

namespace peer::downloads {

struct DiskTrouble {
  std::optional<Error> error;    ///< nothing: there is no trouble
  unsigned tries = 0;            ///< since the trouble began
  runtime::TimePoint at{};       ///< when it last occurred
  std::uint64_t bytes_done = 0;  ///< of the download when the trouble occurred; progress beyond that ends the trouble
  bool retry_now = false;        ///< a command requested an attempt at once
  bool staged = false;           ///< the download has staged something before

  /// Whether an error may disappear without a change of names, links or the file system.
  static bool may_pass(const Error& error);
  /// Records a temporary error. Returns false if the same error is already known.
  bool record(const Error& met, runtime::TimePoint now, std::uint64_t done);
  /// When to try again.
  runtime::TimePoint next_try() const;
  /// Records the download's progress. Returns true if that ends the trouble.
  bool note_progress(std::uint64_t done);
};

}  // namespace peer::downloads
