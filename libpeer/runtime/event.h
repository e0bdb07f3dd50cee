// Event: a flag that coroutines of one loop wait for. It stays set until reset().
#pragma once

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event();  // nobody may be waiting

  /// Wakes all that wait. Never resumes inline.
  void set() noexcept;
  void reset() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }
  /// Cancel: throws Cancelled, also if the event is set already; not once set() has woken it.
  Task<void> wait(CancellationToken token);

 private:
  struct Wait;
  Wait* first_ = nullptr;
  bool set_ = false;
};

}  // namespace peer::runtime
