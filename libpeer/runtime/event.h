// Event: a flag that coroutines of one loop wait for. It stays set until reset().
// Loop: one.
#pragma once

#include <utility>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  /// No coroutine may be waiting.
  ~Event();

  /// Wakes all waiting coroutines. Never resumes inline.
  void set() noexcept;
  void reset() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  /// Waits until the event is set. Cancel: throws Cancelled, even if the event is already set; a wait that set() has
  /// woken is no longer cancelled.
  Task<void> wait(CancellationToken token);
  /// Waits at most `limit`; false if the time ran out. Cancel: as wait().
  Task<bool> wait_for(Executor& executor, Duration limit, CancellationToken token);
  /// Waits until `condition()` holds: checks it now and after each set(). The caller resumes a turn after the check, so
  /// the condition must be one that stays true; to act in the same turn, write the loop. The wait resets the event, so
  /// a set event may only mean "check again". Cancel: throws Cancelled; not if the condition already holds.
  template <class Condition>
  Task<void> wait_until(Condition condition, CancellationToken token) {
    while (!condition()) {
      reset();
      co_await wait(token);
    }
  }

 private:
  struct EventWait;
  EventWait* first_ = nullptr;
  bool set_ = false;
};

}  // namespace peer::runtime
