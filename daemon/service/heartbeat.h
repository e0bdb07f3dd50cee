// The heartbeat for systemd's watchdog: the loops run, and the disk workers make progress.
//
// The control loop sends it, so it stops when that loop hangs. A beat is due only if every other loop has answered a
// probe within the time between two beats, so it also stops when one of them hangs. The loops of avahi and of hooks are
// not probed: D-Bus and programs may block them for a long time, which disturbs nothing else. It also stops when no
// worker has completed a job for kWorkerPatience times the limit, although a probe was queued. One worker that is busy,
// or that hangs in a dead network file system, does not stop it as long as another works. A disk that spins up takes
// seconds, not minutes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/runtime/task.h"
#include "libpeer/runtime/workers.h"

namespace peer::daemon {

inline constexpr int kBeatsPerLimit = 4;
inline constexpr int kWorkerPatience = 4;

/// A loop that must run.
struct ProbedLoop {
  std::string name;
  runtime::Executor* executor = nullptr;  ///< must outlive the heartbeat
};

struct HeartbeatOptions {
  runtime::Duration limit{};                 ///< systemd's WatchdogSec
  runtime::Workers* workers = nullptr;       ///< must outlive the jobs submitted to it
  std::function<std::uint64_t()> jobs_done;  ///< the number of jobs that the workers have completed
  std::vector<ProbedLoop> loops;             ///< all but the one that the heartbeat runs on
  std::function<void()> beat;
  Log log;
};

/// Loop: control. Cancel: ends at once, even if a probe still waits for a worker.
runtime::Task<void> run_heartbeat(runtime::Executor& executor, HeartbeatOptions options,
                                  runtime::CancellationToken token);

}  // namespace peer::daemon
