// UvExecutor: the executor over one libuv loop, and LoopThread: such a loop on a thread of its own.
#pragma once

#include <uv.h>

#include <memory>
#include <string>

#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/scope.h"

namespace peer::runtime {

/// Timers run to the microsecond (one timerfd, set once a turn); ready coroutines are drained by budget, so that
/// neither hops nor I/O starve.
class UvExecutor final : public Executor {
 public:
  UvExecutor();
  ~UvExecutor() override;

  void wake(Suspended& coroutine) noexcept override;
  bool post(Function fn) override;
  TimePoint now() const override { return Clock::now(); }
  Timer arm(TimePoint at, Function fn) override;
  void disarm(const Timer& timer) noexcept override;

  /// For the layers that own libuv handles: net/, discovery/, control/.
  uv_loop_t* loop() noexcept;

  /// Runs the loop on this thread until `main` has finished, then closes it; what main threw is rethrown.
  /// A handle that is still open then is a bug (whoever opened it must have awaited its close callback).
  void run(Task<void> main);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A loop on its own thread, with a root scope for call_on().
class LoopThread {
 public:
  /// Starts the thread; returns when its loop runs.
  explicit LoopThread(std::string name);
  /// stop() must have been called.
  ~LoopThread();
  Scope& scope() noexcept;
  Executor& executor() noexcept;
  uv_loop_t* uv() noexcept;
  /// Cancels the root scope, waits for its tasks, ends the thread. Loop: another thread. Blocks.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::runtime
