// HookThread: runs the programs of hooks, on a thread and a loop of its own.
//
// uv_spawn() blocks until the program is loaded, so a program on a disk that does not answer delays only hooks.
// Cancel: stop() terminates every running program except those of start_now().
// Limits: for each subject, kRunning programs at a time and kWaiting in the queue. A program has HookOrder::timeout,
// then its process group gets SIGTERM, and SIGKILL when HookOrder::term_grace has passed. What a program leaves running
// in its process group ends with it.
#pragma once

#include <chrono>
#include <cstddef>

#include "libpeer/base/log.h"
#include "libpeer/control/hook_process.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::control {

/// Each subject has a queue of its own, so that peers that keep joining and leaving do not displace the events of a
/// download.
enum class HookSubject { games, peers, services };

struct HookOrder {
  HookRun run;
  std::chrono::milliseconds timeout;
  std::chrono::milliseconds term_grace;  ///< between SIGTERM and SIGKILL
};

/// Loop: the functions may be called on any one thread. Owns: the thread.
class HookThread {
 public:
  static constexpr std::size_t kRunning = 4;
  static constexpr std::size_t kWaiting = 64;

  explicit HookThread(Log log);
  HookThread(const HookThread&) = delete;
  HookThread& operator=(const HookThread&) = delete;
  /// Waits until every program has ended.
  ~HookThread();

  /// Returns false if the queue is full.
  bool enqueue(HookSubject subject, HookOrder order);
  /// Starts the program at once, outside the queues. stop() does not terminate it.
  void start_now(HookOrder order);
  /// Terminates the programs that run, and starts no others. Does not wait.
  void stop();

 private:
  struct HookQueue {
    explicit HookQueue(runtime::Executor& executor) : orders(executor, kWaiting) {}
    runtime::Channel<HookOrder> orders;
    runtime::Semaphore places{kRunning};
  };

  runtime::Task<void> serve(HookQueue& queue, runtime::CancellationToken token);
  runtime::Task<void> run(HookOrder order, runtime::SemaphoreUnits place, runtime::CancellationToken token);
  runtime::Task<void> start_and_wait(HookProcess& process, const HookOrder& order, runtime::CancellationToken token);

  const Log log_;
  runtime::LoopThread thread_{"hooks"};
  HookQueue games_{thread_.executor()};
  HookQueue peers_{thread_.executor()};
  HookQueue services_{thread_.executor()};
};

}  // namespace peer::control
