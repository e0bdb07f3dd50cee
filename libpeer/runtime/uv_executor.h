// UvExecutor: the executor over one libuv loop.
#pragma once

#include <uv.h>

#include <memory>

#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {

/// Timers are precise to the microsecond (one timerfd, set at most once a turn). Ready coroutines run in bounded
/// batches between polls, so that neither coroutines nor I/O starve.
class UvExecutor final : public Executor {
 public:
  UvExecutor();
  ~UvExecutor() override;

  void wake(Suspended& coroutine) noexcept override;
  bool post(Function fn) override;
  TimePoint now() const override { return Clock::now(); }
  Timer arm(TimePoint at, Function fn) override;
  void disarm(const Timer& timer) noexcept override;

  /// For code that owns libuv handles: net/, discovery/, control/ and UvPoll.
  uv_loop_t* loop() noexcept;

  /// Runs the loop on this thread until `main` has finished, then closes it; rethrows what `main` threw.
  /// Every other libuv handle must be closed, or closing, by then; an open one is a bug.
  void run(Task<void> main);

 private:
  struct UvLoop;
  std::unique_ptr<UvLoop> impl_;
};

}  // namespace peer::runtime
