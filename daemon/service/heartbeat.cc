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
  runtime::TimePoint alive = executor.now();
  bool told = false;
  for (;;) {
    if (!probing->exchange(true)) options.workers->submit([probing] { *probing = false; });
    if (const std::uint64_t now = options.jobs_done(); now != done) {
      done = now;
      alive = executor.now();
    }
    const bool hung = executor.now() - alive > kWorkerPatience * options.limit;
    if (!hung) {
      options.beat();
    } else if (!told) {
      options.log.error("no disk worker gets anything done: no more heartbeats, systemd restarts the daemon");
    }
    told = hung;
    co_await runtime::sleep_for(executor, options.limit / kBeatsPerLimit, token);
  }
}

}  // namespace peer::daemon
