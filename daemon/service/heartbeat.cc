#include "daemon/service/heartbeat.h"

#include <atomic>
#include <memory>
#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::daemon {

namespace {

/// One loop, with the probe that waits in its queue. The probe may outlive the heartbeat.
class LoopProbe {
 public:
  explicit LoopProbe(const ProbedLoop& loop) : loop_(loop) {}
  const std::string& name() const { return loop_.name; }
  /// Whether the loop has run the last probe. Posts the next one if it has.
  bool answered() {
    if (waiting_->exchange(true)) return false;
    loop_.executor->post([waiting = waiting_] { *waiting = false; });
    return true;
  }

 private:
  const ProbedLoop loop_;
  const std::shared_ptr<std::atomic<bool>> waiting_ = std::make_shared<std::atomic<bool>>(false);
};

/// The name of a loop that hangs; empty: none.
std::string find_hung(std::vector<LoopProbe>& probes) {
  std::string hung;
  for (LoopProbe& probe : probes) {
    if (!probe.answered()) hung = probe.name();
  }
  return hung;
}

}  // namespace

runtime::Task<void> run_heartbeat(runtime::Executor& executor, HeartbeatOptions options,
                                  runtime::CancellationToken token) {
  const auto probing = std::make_shared<std::atomic<bool>>(false);
  std::uint64_t done = options.jobs_done();
  runtime::TimePoint last_progress = executor.now();
  bool logged = false;
  std::vector<LoopProbe> probes(options.loops.begin(), options.loops.end());
  for (;;) {
    const std::string hung_loop = find_hung(probes);
    if (!probing->exchange(true)) options.workers->submit([probing] { *probing = false; });
    if (const std::uint64_t now = options.jobs_done(); now != done) {
      done = now;
      last_progress = executor.now();
    }
    const bool hung = executor.now() - last_progress > kWorkerPatience * options.limit;
    if (!hung && hung_loop.empty()) {
      options.beat();
    } else if (!logged) {
      options.log.error((hung ? "no disk worker makes progress" : "the " + hung_loop + " loop does not run") +
                        std::string(": heartbeats stop, and systemd restarts the daemon"));
    }
    logged = hung || !hung_loop.empty();
    co_await runtime::sleep_for(executor, options.limit / kBeatsPerLimit, token);
  }
}

}  // namespace peer::daemon
