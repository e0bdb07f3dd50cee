// LoopThread: a libuv loop on a thread of its own, with a root scope for call_on().
#pragma once

#include <memory>
#include <string>

#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::runtime {

class LoopThread {
 public:
  /// Starts the thread and returns once its loop runs.
  explicit LoopThread(std::string name);
  /// stop() must have been called.
  ~LoopThread();
  Scope& scope() noexcept;
  Executor& executor() noexcept;
  uv_loop_t* uv() noexcept;
  /// Cancels the root scope, waits for its tasks and ends the thread. Blocks. Loop: another thread.
  void stop();

 private:
  struct ThreadState;
  std::unique_ptr<ThreadState> state_;
};

}  // namespace peer::runtime
