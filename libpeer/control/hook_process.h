// HookProcess: one program that runs for an event.
#pragma once

#include <uv.h>

#include <chrono>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::control {

struct HookRun {
  std::string hook;
  std::vector<std::string> command;      ///< program and arguments
  std::vector<std::string> environment;  ///< all of it, as "NAME=value"
  std::string input;                     ///< for standard input
};

enum class HookEnd { exited, timed_out, cancelled };

/// Loop: one. Owns: the process handle; after start(), close() must be awaited before destruction.
class HookProcess {
 public:
  explicit HookProcess(uv_loop_t* loop) : loop_(loop) {}
  HookProcess(const HookProcess&) = delete;
  HookProcess& operator=(const HookProcess&) = delete;
  ~HookProcess();

  /// Starts the program in a process group of its own. Its output goes to the daemon's standard error.
  /// Fails: disk_error, naming the program.
  Result<void> start(const HookRun& run);
  /// Waits until the program has ended. Cancel: throws Cancelled.
  runtime::Task<void> ended(runtime::CancellationToken token) { return ended_.wait(std::move(token)); }
  /// Waits until the program has ended. After `timeout`, or when `token` is requested, terminates it first.
  runtime::Task<HookEnd> wait_or_terminate(runtime::Executor& executor, std::chrono::milliseconds timeout,
                                           std::chrono::milliseconds term_grace, runtime::CancellationToken token);
  /// Sends SIGTERM to the process group, and SIGKILL if the program still runs after `term_grace`.
  runtime::Task<void> terminate(runtime::Executor& executor, std::chrono::milliseconds term_grace);
  bool has_ended() const noexcept { return ended_.is_set(); }
  /// "exit code 3" or "killed by signal 9"; empty after exit code 0.
  std::string failure() const;
  /// Signals the whole process group.
  void send_signal(int number) const noexcept;
  /// Closes the handle. Does nothing if start() was never called.
  runtime::Task<void> close();

 private:
  uv_loop_t* loop_;
  uv_process_t process_{};
  bool open_ = false;
  std::int64_t code_ = 0;
  int signal_ = 0;
  runtime::Event ended_;
  runtime::Event closed_;
};

}  // namespace peer::control
