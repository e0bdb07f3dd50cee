// RateLimit: how many bytes a second may pass, over all who pass: a token bucket that fills steadily and holds 40 ms.
//
// Those who wait pass in order, in pieces of 10 ms at most: neither a low rate nor a change of it makes anybody wait
// for what another has taken at once. Loop: the executor's, but for rate() and binding(): any thread.
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

  /// Bytes a second; 0: none. Those who wait go by the new rate from now on.
  void set(std::uint64_t rate);
  std::uint64_t rate() const noexcept { return rate_.load(std::memory_order_relaxed); }
  runtime::TimePoint now() const { return executor_.now(); }
  /// Somebody had to wait a moment ago.
  bool binding(runtime::TimePoint now) const noexcept;

  /// How much at a time, `most` at most, keeps the flow smooth.
  std::uint64_t piece(std::uint64_t most) const noexcept;
  /// Waits until so many bytes may have passed. Cancel: throws Cancelled; some may count as passed.
  runtime::Task<void> pass(std::uint64_t bytes, runtime::CancellationToken token);

 private:
  void refill() noexcept;

  runtime::Executor& executor_;
  std::atomic<std::uint64_t> rate_ = 0;
  std::atomic<std::int64_t> waited_{INT64_MIN};  ///< on the executor's clock, ns
  double tokens_ = 0;                            ///< bytes; below 0: passed ahead of time
  runtime::TimePoint filled_{};
  runtime::Semaphore turn_{1};  ///< its holder sleeps until the bucket is not empty; the others wait for the turn
  runtime::Event rate_changed_;
};

}  // namespace peer::transfer
