// RateLimit: limits the bytes per second of all its callers together. It is a token bucket that fills steadily and
// holds 40 ms worth of bytes.
//
// Callers pass in order, at most 10 ms worth of bytes at a time, so that no caller waits long for bytes that another
// one passed at once, even at a low rate or when the rate changes.
// Loop: the executor's; rate() and binding(): any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "libpeer/runtime/event.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::transfer {

class RateLimit {
 public:
  explicit RateLimit(runtime::Executor& executor) : executor_(executor) {}
  RateLimit(const RateLimit&) = delete;
  RateLimit& operator=(const RateLimit&) = delete;

  /// Bytes per second; 0: no limit. It applies at once, also to waiting callers.
  void set(std::uint64_t rate);
  std::uint64_t rate() const noexcept { return rate_.load(std::memory_order_relaxed); }
  runtime::TimePoint now() const { return executor_.now(); }
  /// Whether a caller had to wait within the last half second.
  bool binding(runtime::TimePoint now) const noexcept;

  /// The number of bytes, at most `most`, to pass at a time for a smooth flow.
  std::uint64_t piece(std::uint64_t most) const noexcept;
  /// Waits until `bytes` bytes may have passed. Cancel: throws Cancelled; some of them may already count as passed.
  runtime::Task<void> pass(std::uint64_t bytes, runtime::CancellationToken token);

 private:
  void refill() noexcept;

  runtime::Executor& executor_;
  std::atomic<std::uint64_t> rate_ = 0;
  std::atomic<std::int64_t> waited_{INT64_MIN};  ///< when a caller last had to wait; ns on the executor's clock
  double tokens_ = 0;                            ///< bytes; below 0: bytes passed in advance
  runtime::TimePoint filled_{};
  runtime::Semaphore turn_{1};  ///< its holder sleeps until the bucket is not empty; the others wait for the turn
  runtime::Event rate_changed_;
};

}  // namespace peer::transfer
