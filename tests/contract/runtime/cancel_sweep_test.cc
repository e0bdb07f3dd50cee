// A scenario with services, jobs, a semaphore, a channel and calls, cancelled after each of its steps in turn. It must
// always end completely.
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>

#include "contract/runtime/loops.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/offload_abandonable.h"
#include "libpeer/runtime/semaphore.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/supervisor.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

namespace {

struct Scenario {
  ManualExecutor executor;
  ManualWorkers workers{executor, 7, 3ms};
  CancellationSource root;
  Semaphore semaphore{2};
  Channel<int> channel{executor, 4};
  Scope other{executor, "other", CancellationToken{}};
  int consumed = 0;
};

Task<int> job_there(Scenario& s, CancellationToken token) {
  auto job = [](const StopFlag&) { return 1; };
  const int value = co_await offload(s.workers, job, token);
  auto look_up = [](const StopFlag&) { return 2; };
  co_return value + co_await offload_abandonable(s.workers, look_up, token);
}
Task<void> producer(Scenario& s, CancellationToken token) {
  auto there = [&s](CancellationToken inner) { return job_there(s, inner); };
  auto timed = [&s, there](CancellationToken inner) { return call_on(s.other, "job", there, inner); };
  for (int i = 0; i < 3; ++i) {
    const std::optional<int> value = co_await with_timeout(s.executor, 4ms, timed, token);
    const SemaphoreUnits units = co_await s.semaphore.acquire(1, token);
    s.channel.sender().try_send(i + value.value_or(0));
  }
  throw std::runtime_error("broke");
}
Task<void> consumer(Scenario& s, CancellationToken token) {
  while (true) {
    const SemaphoreUnits units = co_await s.semaphore.acquire(2, token);
    ++s.consumed;
    co_await sleep_for(s.executor, 1ms, token);
  }
}
Task<void> receiver(Scenario& s, CancellationToken token) {
  while (true) {
    const std::optional<int> value = co_await s.channel.receive(token);
    if (!value) co_return;
  }
}
Task<void> scenario(Scenario& s) {
  Scope scope(s.executor, "scenario", s.root.token());
  spawn_supervised(scope, "producer", [&s](CancellationToken t) { return producer(s, t); }, Restart{2ms}, nullptr);
  spawn_supervised(scope, "consumer", [&s](CancellationToken t) { return consumer(s, t); }, Required{}, nullptr);
  spawn_supervised(scope, "receiver", [&s](CancellationToken t) { return receiver(s, t); }, BestEffort{}, nullptr);
  co_await scope.join();
  co_await s.other.join();
}

void cancel_after(int steps) {
  INFO("cancelled after step " << steps);
  Scenario s;
  peer::test::detail::Outcome<void> outcome;
  peer::test::detail::run_root(scenario(s), &outcome).start(s.executor);
  for (int i = 0; i < steps; ++i) {
    if (!s.executor.step()) REQUIRE(s.executor.advance_to_next_timer());
  }
  CHECK_FALSE(outcome.finished);
  s.root.request();
  s.executor.advance(10ms);  // only jobs on workers still take time
  REQUIRE(outcome.finished);
  CHECK(outcome.error == nullptr);
  CHECK(s.executor.timers() == 0);
  CHECK(s.executor.idle());
  CHECK(s.workers.outstanding() == 0);
  if (steps > 400) CHECK(s.consumed > 3);
}

}  // namespace

TEST_CASE("A scenario cancelled after any step ends completely") {
  for (int steps = 0; steps < 500; ++steps) cancel_after(steps);
}
