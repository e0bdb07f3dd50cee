// Pace: how fast a source is while it has something to do, and how much work it should therefore hold. Pure: no clock.
//
// A source holds about a second's worth: a slow one does not keep for itself what faster ones could bring, a fast one
// is never idle.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "libpeer/runtime/executor.h"
#include "libpeer/transfer/plan.h"

namespace peer::transfer {

/// What a source is given before anything is known of its speed.
inline constexpr std::uint64_t kFirstWindow = 2 << 20;

class Pace {
 public:
  /// The most that it may hold, and in how many spans.
  Pace(std::uint64_t most, std::size_t spans) : most_(most), spans_(spans) {}

  /// `received` counts up; `busy`: it has had something to do since the last call.
  void update(runtime::TimePoint now, std::uint64_t received, bool busy);
  /// Bytes a second, of the last second in which it was busy; none: too early to say.
  std::optional<double> rate() const;
  /// Bytes that it may hold.
  std::uint64_t window() const;
  /// Of one span.
  std::uint64_t span() const;

 private:
  struct Sample {
    runtime::Duration busy;  ///< so far
    std::uint64_t received;
  };
  const std::uint64_t most_;
  const std::size_t spans_;
  std::optional<runtime::TimePoint> last_;
  runtime::Duration busy_{};
  std::deque<Sample> samples_;
};

}  // namespace peer::transfer
