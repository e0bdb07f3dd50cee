// The loop a coroutine runs on: libuv's in the daemon, a manual one with virtual time in tests.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>

namespace peer::runtime {

using Clock = std::chrono::steady_clock;
using Duration = Clock::duration;
using TimePoint = Clock::time_point;

class Executor;

/// A coroutine that waits to be resumed, and its place in the executor's queue. Every promise of this layer is one, so
/// that waking allocates nothing and cannot fail.
struct Suspended {
  Executor* executor = nullptr;    ///< the loop it runs on
  std::coroutine_handle<> handle;  ///< itself
  Suspended* next = nullptr;       ///< the queue's link
  bool queued = false;             ///< woken, not yet resumed

  /// Queues the coroutine. Loop: its own. Waking one that is queued already is a bug.
  void wake() noexcept;
};

/// One thread's queue of coroutines, posted functions and timers.
/// Loop: everything but post() belongs to the loop's own thread.
class Executor {
 public:
  using Function = std::move_only_function<void()>;
  /// A timer's name; disarm() with one that has fired does nothing.
  struct Timer {
    TimePoint at{};
    std::uint64_t sequence = 0;
    auto operator<=>(const Timer&) const = default;
  };

  virtual ~Executor() = default;

  /// Appends to the queue of the ready, in order; never resumes inline.
  virtual void wake(Suspended& coroutine) noexcept = 0;
  /// Runs `fn` on the loop's thread, in order of posting. Any thread. False, with `fn` dropped, once the loop has
  /// closed. Fails: what `fn` throws ends the program; it would cross C frames.
  virtual bool post(Function fn) = 0;
  /// Monotonic, to the nanosecond, read afresh at each call.
  virtual TimePoint now() const = 0;
  /// Runs `fn` on the loop's thread at `at` or as soon after as it can, never before. `fn` must not throw.
  virtual Timer arm(TimePoint at, Function fn) = 0;
  virtual void disarm(const Timer& timer) noexcept = 0;
};

inline void Suspended::wake() noexcept { executor->wake(*this); }

namespace detail {
/// Calls what may not throw: if it does, says which `kind` of function it was and aborts.
void call(Executor::Function& fn, const char* kind) noexcept;
}  // namespace detail

}  // namespace peer::runtime
