// SignalThread: a thread that waits for signals, so that they are handled even if the loops hang.
//
// SIGTERM and SIGINT request a stop; the third of them ends the program at once with exit code 128 + its number. SIGHUP
// requests a reload of the configuration. The thread also enforces the deadline of the stop.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "libpeer/base/log.h"

namespace peer::daemon {

/// Blocks the handled signals in this thread and the threads that it starts, and ignores SIGPIPE. Call it before other
/// threads exist.
void block_signals();

class SignalThread {
 public:
  /// The callbacks run on the signal thread and must not wait.
  struct Callbacks {
    std::function<void(const char* signal)> stop;
    std::function<void()> reload;
  };

  /// `flush_log` is called before the program ends at the deadline or at the third signal. It must be bounded.
  SignalThread(Log log, std::function<void()> flush_log);
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;
  ~SignalThread();

  /// Begins to handle signals, including those that arrived before. Call it once.
  void start(Callbacks callbacks);
  /// Ends the program if it still runs after `limit`. Only the first call has an effect. Loop: any thread.
  void begin_deadline(std::chrono::milliseconds limit) noexcept;
  /// Sets the exit code for the deadline. Loop: any thread.
  void set_exit_code(int code) noexcept { exit_code_ = code; }

 private:
  void run();
  int timeout() const noexcept;

  Callbacks callbacks_;
  Log log_;
  std::function<void()> flush_log_;
  int signals_ = -1;
  int wake_ = -1;
  int stops_ = 0;
  std::atomic<int> exit_code_ = 0;
  std::atomic<bool> ending_ = false;
  std::atomic<std::int64_t> deadline_ = 0;  ///< ms on the steady clock; 0: none
  std::thread thread_;
};

}  // namespace peer::daemon
