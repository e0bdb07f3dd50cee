#include "libpeer/transfer/pace.h"

#include <algorithm>

namespace peer::transfer {

using namespace std::chrono_literals;

namespace {
/// The time over which the speed is measured. A source holds the work of about this time.
constexpr runtime::Duration kWindow = 1s;
/// Minimum time between two samples. A shorter time gives no usable speed.
constexpr runtime::Duration kApart = 20ms;
constexpr std::uint64_t kLeastSpan = 256 << 10;
}  // namespace

void Pace::update(runtime::TimePoint now, std::uint64_t received, bool busy) {
  if (last_ && busy) busy_ += now - *last_;
  last_ = now;
  const bool close = samples_.size() > 1 && busy_ - samples_[samples_.size() - 2].busy < kApart;
  if (close) samples_.pop_back();
  samples_.push_back({busy_, received});
  while (samples_.size() > 2 && busy_ - samples_[1].busy >= kWindow) samples_.pop_front();
}

std::optional<double> Pace::rate() const {
  if (samples_.size() < 2) return std::nullopt;
  const runtime::Duration time = samples_.back().busy - samples_.front().busy;
  const std::uint64_t bytes = samples_.back().received - samples_.front().received;
  // A source without bytes in the first second is not a source of speed 0: the first byte takes time to arrive.
  if (time < kApart || (bytes == 0 && time < kWindow)) return std::nullopt;
  return static_cast<double>(bytes) / std::chrono::duration<double>(time).count();
}

std::uint64_t Pace::window() const {
  const std::optional<double> speed = rate();
  if (!speed) return std::min(kFirstWindow, most_);
  return static_cast<std::uint64_t>(std::clamp(*speed, static_cast<double>(kLeastSpan), static_cast<double>(most_)));
}

std::uint64_t Pace::span() const { return std::clamp(window() / spans_, kLeastSpan, most_ / spans_); }

}  // namespace peer::transfer
