// The heartbeat for systemd's watchdog. It shows that the control loop runs and that the disk workers make progress.
//
// The control loop sends it, so it stops when the loop hangs. It also stops when no worker has completed a job for
// kWorkerPatience times the limit, although a probe was queued. One worker that is busy, or that hangs in a dead
// network file system, does not stop it as long as another works. A disk that spins up takes seconds, not minutes.
#pragma once

#include <cstdint>
#include <functional>

#include "libpeer/base/log.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/task.h"
#include "libpeer/runtime/workers.h"

namespace peer::daemon {

inline constexpr int kBeatsPerLimit = 4;
inline constexpr int kWorkerPatience = 4;

struct HeartbeatOptions {
  runtime::Duration limit{};                 ///< systemd's WatchdogSec
  runtime::Workers* workers = nullptr;       ///< must outlive the jobs submitted to it
  std::function<std::uint64_t()> jobs_done;  ///< the number of jobs that the workers have completed
  std::function<void()> beat;
  Log log;
};

/// Loop: control. Cancel: ends at once, even if a probe still waits for a worker.
runtime::Task<void> run_heartbeat(runtime::Executor& executor, HeartbeatOptions options,
                                  runtime::CancellationToken token);

}  // namespace peer::daemon
