// ScanSchedule: when a game is scanned next.
//
// Loop: the library's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "libpeer/runtime/executor.h"

namespace peer::library {

/// Merges change reports into one: it is due after a moment without reports, or kMaxDelay after the first.
class ChangeDebounce {
 public:
  static constexpr runtime::Duration kQuiet = std::chrono::milliseconds(200);
  static constexpr runtime::Duration kMaxDelay = std::chrono::seconds(2);

  void note(runtime::TimePoint now) noexcept {
    if (!due_) latest_ = now + kMaxDelay;
    due_ = std::min(now + kQuiet, latest_);
  }
  void clear() noexcept { due_.reset(); }
  /// Nothing if no change was reported.
  const std::optional<runtime::TimePoint>& due() const noexcept { return due_; }

 private:
  std::optional<runtime::TimePoint> due_;
  runtime::TimePoint latest_{};
};

class ScanSchedule {
 public:
  /// Requests a scan at `at`, in place of the previous request.
  void request(runtime::TimePoint at) noexcept { requested_ = at; }
  /// Requests a scan at `at`, unless an earlier one is requested.
  void request_by(runtime::TimePoint at) noexcept { requested_ = std::min(at, requested_.value_or(at)); }
  void clear_request() noexcept { requested_.reset(); }
  /// Something in the game has changed.
  void note_change(runtime::TimePoint now) noexcept { changes_.note(now); }

  /// A scan begins: it sees every change that was reported before.
  void on_scan_begin() noexcept;
  /// A scan that began at `begun` has ended. `rescan_after`: set if part of the game could not be watched.
  void on_scan_end(runtime::TimePoint begun, runtime::TimePoint now,
                   std::optional<runtime::Duration> rescan_after) noexcept;

  /// Whether a change was reported, or an unwatched part needs another scan.
  bool has_changes() const noexcept { return changes_.due() || unwatched_; }
  /// `busy`: a scan or an adoption is running; changes then wait for its end. `offered`: the game is offered, so that a
  /// change may have to withdraw it.
  std::optional<runtime::TimePoint> next(bool busy, bool offered) const noexcept;
  void clear() noexcept;

 private:
  std::optional<runtime::TimePoint> requested_;
  ChangeDebounce changes_;
  std::optional<runtime::TimePoint> unwatched_;  ///< the next scan of a game that is only partly watched
  runtime::TimePoint not_before_{};  ///< no change is scanned earlier, so that scanning stays a small share of the load
};

/// Decides when a game with timestamps in the future is at rest: when they stay the same for the settle time.
class FutureTimestamps {
 public:
  /// `mark`: ScannedGame::future_mark. Returns how much longer the mark must stay the same; zero or less: at rest.
  runtime::Duration remaining(std::uint64_t mark, runtime::Duration settle, runtime::TimePoint now) noexcept;

 private:
  std::uint64_t mark_ = 0;
  runtime::TimePoint since_{};
};

}  // namespace peer::library
