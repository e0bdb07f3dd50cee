// The watchdog's heartbeat: the control loop turns, and the disk workers get work done.
//
// Sent from the loop itself, so that a loop that hangs sends none. It also stops when no worker has ended a job for
// kWorkerPatience times the limit, a probe among them: a busy worker, or one that hangs in a dead network file system,
// does no harm as long as another works; a disk that wakes up slowly takes seconds, not minutes.
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
  runtime::Workers* workers = nullptr;       ///< must outlive what is submitted to it
  std::function<std::uint64_t()> jobs_done;  ///< counts what the workers have ended, of all jobs
  std::function<void()> beat;
  Log log;
};

/// Loop: control. Cancel: ends at once; a probe that hangs on a worker stays there.
runtime::Task<void> run_heartbeat(runtime::Executor& executor, HeartbeatOptions options,
                                  runtime::CancellationToken token);

}  // namespace peer::daemon
