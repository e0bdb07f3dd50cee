// DiskTrouble: a full, failing, read-only or unreachable disk pauses only the download that ran into it. It is tried
// again with growing pauses until it makes progress. Pure: no clock.
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
  std::uint64_t bytes_done = 0;  ///< of the download when the trouble occurred; progress beyond that ends it
  bool retry_now = false;        ///< a command asks for an attempt at once
  bool staged = false;           ///< the download has staged something before

  /// Whether an error may pass without anybody changing names, links or the file system.
  static bool may_pass(const Error& error);
  /// Records an error that may pass. False if the same error is already known.
  bool record(const Error& met, runtime::TimePoint now, std::uint64_t done);
  /// When to try again.
  runtime::TimePoint next_try() const;
  /// Records how far the download is. True if that ends the trouble.
  bool note_progress(std::uint64_t done);
};

}  // namespace peer::downloads
