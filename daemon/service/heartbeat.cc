#include "daemon/service/heartbeat.h"

#include <atomic>
#include <memory>
#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::daemon {

runtime::Task<void> run_heartbeat(runtime::Executor& executor, HeartbeatOptions options,
                                  runtime::CancellationToken token) {
  const auto probing = std::make_shared<std::atomic<bool>>(false);
  std::uint64_t done = options.jobs_done();
  runtime::TimePoint last_progress = executor.now();
  bool logged = false;
  for (;;) {
    if (!probing->exchange(true)) options.workers->submit([probing] { *probing = false; });
    if (const std::uint64_t now = options.jobs_done(); now != done) {
      done = now;
      last_progress = executor.now();
    }
    const bool hung = executor.now() - last_progress > kWorkerPatience * options.limit;
    if (!hung) {
      options.beat();
    } else if (!logged) {
      options.log.error("no disk worker makes progress: heartbeats stop, and systemd restarts the daemon");
    }
    logged = hung;
    co_await runtime::sleep_for(executor, options.limit / kBeatsPerLimit, token);
  }
}

}  // namespace peer::daemon
