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
    return try_consume_some(1, now, burst, per_second);
  }
  /// Consumes `amount` tokens, or none and returns false.
  bool try_consume_some(double amount, runtime::TimePoint now, double burst, double per_second) {
    refill(now, burst, per_second);
    if (left_ < amount) return false;
    left_ -= amount;
    return true;
  }
  /// Consumes `amount` tokens, also more than there are. Returns the time after which none is owed.
  runtime::Duration owe(double amount, runtime::TimePoint now, double burst, double per_second) {
    refill(now, burst, per_second);
    left_ -= amount;
    if (left_ >= 0) return runtime::Duration{};
    return std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(-left_ / per_second));
  }

 private:
  void refill(runtime::TimePoint now, double burst, double per_second) {
    const double seconds = filled_ ? std::chrono::duration<double>(now - *filled_).count() : 0;
    left_ = filled_ ? std::min(burst, left_ + seconds * per_second) : burst;
    filled_ = now;
  }

  double left_ = 0;
  std::optional<runtime::TimePoint> filled_;
};

}  // namespace peer::runtime
