// TokenBucket: limits how often something may happen: a burst at once, then a number per second. It reads no clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "libpeer/runtime/executor.h"

namespace peer::runtime {

class TokenBucket {
 public:
  /// Consumes one token; false if none is left. The bucket is full at the first call.
  bool try_consume(runtime::TimePoint now, double burst, double per_second) {
    const double seconds = filled_ ? std::chrono::duration<double>(now - *filled_).count() : 0;
    left_ = filled_ ? std::min(burst, left_ + seconds * per_second) : burst;
    filled_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  double left_ = 0;
  std::optional<runtime::TimePoint> filled_;
};

}  // namespace peer::runtime
