// ManualExecutor: virtual time and a queue that runs only when told to. One instance plays every loop and every worker
// of a simulation, so that a whole network of peers runs in one thread and repeats itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "libpeer/base/random.h"
#include "libpeer/runtime/executor.h"
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
  Timer arm(TimePoint at, Function fn) override;
  void disarm(const Timer& timer) noexcept override;

  /// Resumes and runs what is ready, posts included, until nothing is. Returns how many steps it took.
  std::size_t run_ready();
  /// One coroutine or posted function; false if there was none. For sweeps that stop after every step.
  bool step();
  /// Runs what is ready, then moves the clock to each timer in turn, up to now() + `by`.
  void advance(Duration by);
  /// Moves to the next timer and fires it, without running what that made ready; false if there is none.
  bool advance_to_next_timer();
  /// Like the end of a loop: later posts are refused.
  void close();

  std::size_t timers() const noexcept { return timers_.size(); }
  bool idle() const;

 private:
  struct Posted;
  void append(Suspended& entry) noexcept;
  Suspended* take() noexcept;

  TimePoint now_{};
  mutable std::mutex mutex_;  // over the queue: post() comes from any thread
  Suspended* first_ = nullptr;
  Suspended* last_ = nullptr;
  bool closed_ = false;
  std::map<Timer, Function> timers_;
  std::uint64_t sequence_ = 0;
};

/// Jobs run on the executor after a random delay up to `slowest`, so in a seeded order; in order of submission, as soon
/// as the executor runs what is ready, if `slowest` is zero. Loop: the executor's.
class ManualWorkers final : public Workers {
 public:
  ManualWorkers(ManualExecutor& executor, std::uint64_t seed, Duration slowest);
  void submit(Job job) override;
  std::size_t outstanding() const noexcept { return outstanding_; }

 private:
  ManualExecutor& executor_;
  std::unique_ptr<Random> random_;
  Duration slowest_;
  std::size_t outstanding_ = 0;
};

}  // namespace peer::runtime
