// HookProcess: one program that was started for an event.
#pragma once

#include <uv.h>

#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/uv_executor.h"

namespace peer::control {

struct HookRun {
  std::string hook;
  std::vector<std::string> command;      ///< program and arguments
  std::vector<std::string> environment;  ///< "NAME=value", all of it
  std::string input;                     ///< for stdin
};

/// Owns: the process handle. finish() must have been awaited once start() was called. Loop: one.
class HookProcess {
 public:
  explicit HookProcess(uv_loop_t* loop) : loop_(loop) {}
  HookProcess(const HookProcess&) = delete;
  HookProcess& operator=(const HookProcess&) = delete;
  ~HookProcess();

  /// In a process group of its own; what it prints goes where the daemon's errors go. Fails: disk_error, naming the
  /// program.
  Result<void> start(const HookRun& run);
  /// Until it has ended. Cancel: throws Cancelled.
  runtime::Task<void> ended(runtime::CancellationToken token) { return ended_.wait(std::move(token)); }
  bool has_ended() const noexcept { return ended_.is_set(); }
  /// "exit code 3", "killed by signal 9"; empty: it ended well.
  std::string failure() const;
  /// To its whole group.
  void send_signal(int number) const noexcept;
  runtime::Task<void> finish();

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
