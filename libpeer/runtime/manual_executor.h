// ManualExecutor: an executor with virtual time that runs only when it is stepped. One instance acts as every loop and
// every worker of a simulation, so a whole network of peers runs in one thread, and the same seed repeats the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "libpeer/base/random.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/ready_queue.h"
#include "libpeer/runtime/timer_queue.h"
#include "libpeer/runtime/workers.h"

namespace peer::runtime {

class ManualExecutor final : public Executor {
 public:
  ManualExecutor() = default;
  ManualExecutor(const ManualExecutor&) = delete;
  ManualExecutor& operator=(const ManualExecutor&) = delete;
  ~ManualExecutor() override;

  void wake(Suspended& coroutine) noexcept override;
  bool post(Function fn) override;
  TimePoint now() const override { return now_; }
  Timer arm(TimePoint at, Function fn) override { return timers_.arm(at, std::move(fn)); }
  void disarm(const Timer& timer) noexcept override { timers_.disarm(timer); }

  /// Runs coroutines and posted functions until none is ready. Returns the number of steps.
  std::size_t run_ready();
  /// Runs one coroutine or posted function; false if none was ready. For sweeps that stop after every step.
  bool step();
  /// Runs what is ready, then moves the clock to each timer in turn and fires it, up to now() + `by`.
  void advance(Duration by);
  /// Moves the clock to the next timer and fires it, without running what it woke. False if there is no timer.
  bool advance_to_next_timer();
  /// Refuses later posts, as a loop that has ended does.
  void close();

  std::size_t timers() const noexcept { return timers_.size(); }
  /// No coroutine and no posted function is ready.
  bool idle() const;

 private:
  struct Posted;
  Suspended* pop() noexcept;

  TimePoint now_{};
  mutable std::mutex mutex_;  // guards ready_ and closed_: any thread may post
  ReadyQueue ready_;
  bool closed_ = false;
  TimerQueue timers_;
};

/// Runs jobs on the executor. If `slowest` is zero, jobs run in the order of submission, like posted functions.
/// Otherwise each job runs after a random delay of at most `slowest`, so the seed decides the order. Loop: the
/// executor's.
class ManualWorkers final : public Workers {
 public:
  ManualWorkers(ManualExecutor& executor, std::uint64_t seed, Duration slowest);
  void submit(Job job) override;
  /// Jobs that have not run yet.
  std::size_t outstanding() const noexcept { return outstanding_; }

 private:
  ManualExecutor& executor_;
  std::unique_ptr<Random> random_;
  Duration slowest_;
  std::size_t outstanding_ = 0;
};

}  // namespace peer::runtime
