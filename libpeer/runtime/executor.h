// Executor: the loop that coroutines run on. The daemon's executor uses libuv. Tests use a manual one with virtual
// time.
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

/// A suspended coroutine as a node of the executor's ready queue. Every promise of this layer derives from it, so
/// waking a coroutine allocates nothing and cannot fail.
struct Suspended {
  Executor* executor = nullptr;    ///< the loop that the coroutine runs on
  std::coroutine_handle<> handle;  ///< resumes the coroutine
  Suspended* next = nullptr;       ///< next node of the queue
  bool queued = false;             ///< woken but not resumed yet

  /// Queues the coroutine. Waking a queued coroutine is a bug. Loop: its own.
  void wake() noexcept;
};

/// One thread's queue of coroutines, posted functions and timers.
/// Loop: the executor's own thread, except post().
class Executor {
 public:
  using Function = std::move_only_function<void()>;
  /// Identifies an armed timer.
  struct Timer {
    TimePoint at{};
    std::uint64_t sequence = 0;
    auto operator<=>(const Timer&) const = default;
  };

  virtual ~Executor() = default;

  /// Appends the coroutine to the ready queue. Never resumes inline.
  virtual void wake(Suspended& coroutine) noexcept = 0;
  /// Runs `fn` on the loop's thread, in the order of posting. Returns false and drops `fn` once the loop has closed.
  /// Loop: any thread. Fails: an exception from `fn` ends the program, because it would cross C frames.
  virtual bool post(Function fn) = 0;
  /// The monotonic time in nanoseconds, read at each call.
  virtual TimePoint now() const = 0;
  /// Runs `fn` on the loop's thread at `at` or as soon as possible afterwards, never before. `fn` must not throw.
  virtual Timer arm(TimePoint at, Function fn) = 0;
  /// Cancels the timer; does nothing if it has fired.
  virtual void disarm(const Timer& timer) noexcept = 0;
};

inline void Suspended::wake() noexcept { executor->wake(*this); }

namespace detail {
/// Calls `fn`. If it throws, prints which `kind` of function it was and aborts.
void call(Executor::Function& fn, const char* kind) noexcept;
}  // namespace detail

}  // namespace peer::runtime
