#include "libpeer/library/scan_schedule.h"

namespace peer::library {

namespace {
constexpr int kPausePerScan = 10;  // the pause after a scan, in multiples of its duration
constexpr runtime::Duration kMaxPause = std::chrono::seconds(30);
}  // namespace

void ScanSchedule::on_scan_begin() noexcept {
  changes_.clear();
  unwatched_.reset();
}

void ScanSchedule::on_scan_end(runtime::TimePoint begun, runtime::TimePoint now,
                               std::optional<runtime::Duration> rescan_after) noexcept {
  not_before_ = now + std::min<runtime::Duration>(kPausePerScan * (now - begun), kMaxPause);
  if (rescan_after) unwatched_ = now + *rescan_after;
}

std::optional<runtime::TimePoint> ScanSchedule::next(bool busy, bool offered) const noexcept {
  if (busy) return requested_;
  // A change cannot withdraw a game that is not offered, so the requested scan is early enough.
  if (requested_ && !offered) return requested_;
  std::optional<runtime::TimePoint> next = requested_;
  const auto earlier = [&next](runtime::TimePoint at) {
    next = std::min(next.value_or(runtime::TimePoint::max()), at);
  };
  if (unwatched_) earlier(*unwatched_);
  if (changes_.due()) earlier(std::max(*changes_.due(), not_before_));
  return next;
}

void ScanSchedule::clear() noexcept {
  requested_.reset();
  changes_.clear();
  unwatched_.reset();
}

runtime::Duration FutureTimestamps::remaining(std::uint64_t mark, runtime::Duration settle,
                                              runtime::TimePoint now) noexcept {
  if (mark_ != mark) {
    mark_ = mark;
    since_ = now;
  }
  return since_ + settle - now;
}

}  // namespace peer::library
