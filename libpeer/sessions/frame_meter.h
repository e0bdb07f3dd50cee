// FrameMeter: how fast one session may send frames. Pure: time comes in as an argument.
// Limits: protocol::kFramesBurst frames at once and kFramesPerSecond per second; kFrameBytesBurst bytes at once and
// kFrameBytesPerSecond per second.
#pragma once

#include <algorithm>
#include <cstddef>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/token_bucket.h"

namespace peer::sessions {

class FrameMeter {
 public:
  /// `scale`: how many times as much as one session may send.
  explicit FrameMeter(double scale = 1) : scale_(scale) {}

  /// Counts a frame that has arrived. Returns how long to wait before it is decoded. Call it after the wait for the
  /// frame before.
  runtime::Duration charge(std::size_t bytes, runtime::TimePoint now) {
    using namespace protocol;
    return std::max(
        frames_.owe(1, now, scale_ * kFramesBurst, scale_ * kFramesPerSecond),
        bytes_.owe(static_cast<double>(bytes), now, scale_ * kFrameBytesBurst, scale_ * kFrameBytesPerSecond));
  }

 private:
  double scale_;
  runtime::TokenBucket frames_;
  runtime::TokenBucket bytes_;
};

}  // namespace peer::sessions
