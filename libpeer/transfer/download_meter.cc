#include "libpeer/transfer/download_meter.h"

#include <chrono>

namespace peer::transfer {

namespace {
constexpr runtime::Duration kRateWindow = std::chrono::seconds(3);
constexpr std::uint64_t kSamplesPerJudgment = 40;  // about a second's
}  // namespace

void DownloadMeter::sample_rate(runtime::TimePoint now, std::uint64_t received) {
  samples_.push_back({now, received});
  while (samples_.size() > 2 && samples_.back().at - samples_.front().at > kRateWindow) {
    samples_.erase(samples_.begin());
  }
  const double seconds = std::chrono::duration<double>(samples_.back().at - samples_.front().at).count();
  rate_ = seconds > 0 ? static_cast<double>(samples_.back().received - samples_.front().received) / seconds : 0;
}

void DownloadMeter::sample_time(const TimeBreakdown& time) {
  time_.samples += time.samples;
  time_.blocked += time.blocked;
  time_.syncing += time.syncing;
  time_.reading_ns += time.reading_ns;
  time_.writing_ns += time.writing_ns;
  time_.received += time.received;
  time_.held_back += time.held_back;
  if (time_.samples < kSamplesPerJudgment) return;
  bottleneck_ = transfer::bottleneck(time_);
  time_ = {};
}

}  // namespace peer::transfer
