// Pace: measures how fast a source is while it has work, and says how much work it may hold. Pure: no clock.
//
// A source holds about one second's worth of work: a slow source does not hold spans that faster ones could deliver,
// and a fast source is never idle.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "libpeer/runtime/executor.h"
#include "libpeer/transfer/plan.h"

namespace peer::transfer {

/// The window of a source whose speed is not known yet. Units: bytes.
inline constexpr std::uint64_t kFirstWindow = 2 << 20;

class Pace {
 public:
  /// The most bytes that the source may hold, and the number of spans that they are divided into.
  Pace(std::uint64_t most, std::size_t spans) : most_(most), spans_(spans) {}

  /// `received` is a running total. `busy`: the source has had work since the last call.
  void update(runtime::TimePoint now, std::uint64_t received, bool busy);
  /// Bytes per second over the last second in which the source was busy; nothing if it is too early to tell.
  std::optional<double> rate() const;
  /// Bytes that the source may hold.
  std::uint64_t window() const;
  /// Bytes of one span.
  std::uint64_t span() const;

 private:
  struct PaceSample {
    runtime::Duration busy;  ///< time busy so far
    std::uint64_t received;
  };
  const std::uint64_t most_;
  const std::size_t spans_;
  std::optional<runtime::TimePoint> last_;
  runtime::Duration busy_{};
  std::deque<PaceSample> samples_;
};

}  // namespace peer::transfer
