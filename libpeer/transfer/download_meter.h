// DownloadMeter: a download's current rate and bottleneck, from samples. Pure: no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libpeer/runtime/executor.h"
#include "libpeer/transfer/bottleneck.h"

namespace peer::transfer {

class DownloadMeter {
 public:
  /// `received` is a running total of bytes.
  void sample_rate(runtime::TimePoint now, std::uint64_t received);
  /// Bytes per second over the last 3 s.
  double rate() const noexcept { return rate_; }

  /// Adds one sample, and judges the bottleneck after each second of samples.
  void sample_time(const TimeBreakdown& time);
  void reset_bottleneck() { bottleneck_.reset(); }
  std::optional<std::string_view> bottleneck() const { return bottleneck_; }

 private:
  struct RateSample {
    runtime::TimePoint at;
    std::uint64_t received;
  };
  std::vector<RateSample> samples_;
  double rate_ = 0;
  TimeBreakdown time_;
  std::optional<std::string_view> bottleneck_;
};

}  // namespace peer::transfer
