// TimerQueue: an executor's armed timers, in order of time, then of arming.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "libpeer/runtime/executor.h"

namespace peer::runtime {

/// Loop: one thread. A function may arm and disarm timers when it is called and when it is destroyed.
class TimerQueue {
 public:
  using Timer = Executor::Timer;
  using Function = Executor::Function;

  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue() {
    while (pop()) {
    }
  }

  Timer arm(TimePoint at, Function fn) {
    const Timer timer{at, ++latest_};
    timers_.emplace(timer, std::move(fn));
    return timer;
  }
  void disarm(const Timer& timer) noexcept {
    const auto node = timers_.extract(timer);  // its function is destroyed only after the map is consistent again
  }

  std::size_t size() const noexcept { return timers_.size(); }
  /// The timer that is due first; null if there is none.
  const Timer* first() const noexcept { return timers_.empty() ? nullptr : &timers_.begin()->first; }
  /// Removes the timer that is due first; nothing if there is none.
  std::optional<std::pair<Timer, Function>> pop() {
    if (timers_.empty()) return std::nullopt;
    auto node = timers_.extract(timers_.begin());
    return std::pair(node.key(), std::move(node.mapped()));
  }
  /// The sequence number of the timer that was armed last.
  std::uint64_t latest() const noexcept { return latest_; }

 private:
  std::map<Timer, Function> timers_;
  std::uint64_t latest_ = 0;
};

}  // namespace peer::runtime
