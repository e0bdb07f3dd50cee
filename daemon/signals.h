// Signals: a thread that waits for them, so that they are answered whatever the loops are doing.
//
// SIGTERM and SIGINT ask for a stop, the third of them ends the program at once with 128 + its number; SIGHUP asks for
// a look at the configuration. It also keeps the last deadline: if the program has not ended in time, the thread ends
// it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "libpeer/base/log.h"

namespace peer::daemon {

/// Blocks the signals in this thread and all that it starts: call it before there are others. SIGPIPE is ignored.
void block_signals();

class SignalThread {
 public:
  /// The callbacks run on the thread and must not wait.
  struct Callbacks {
    std::function<void(const char* signal)> stop;
    std::function<void()> reload;
  };

  explicit SignalThread(Log log);
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;
  ~SignalThread();

  /// Signals are answered from now on; those that came before are not lost. Once.
  void start(Callbacks callbacks);
  /// From now on the program has `limit` to end. The first call counts. Any thread.
  void begin_deadline(std::chrono::milliseconds limit) noexcept;
  /// The exit code if the deadline passes. Any thread.
  void set_exit_code(int code) noexcept { exit_code_ = code; }

 private:
  void run();
  int timeout() const noexcept;

  Callbacks callbacks_;
  Log log_;
  int signals_ = -1;
  int wake_ = -1;
  int stops_ = 0;
  std::atomic<int> exit_code_ = 0;
  std::atomic<bool> ending_ = false;
  std::atomic<std::int64_t> deadline_ = 0;  ///< ms on the steady clock; 0: none
  std::thread thread_;
};

}  // namespace peer::daemon
