// TokenBucket: how often something may happen: so many times at once, and then so many times a second. Pure: no clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "libpeer/runtime/executor.h"

namespace peer::runtime {

class TokenBucket {
 public:
  /// It is full at first. False: too often.
  bool take(runtime::TimePoint now, double burst, double per_second) {
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
