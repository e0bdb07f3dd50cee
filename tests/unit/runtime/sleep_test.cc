#include "libpeer/runtime/sleep.h"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>

#include "libpeer/runtime/scope.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::run_sync;
using peer::test::run_task;

namespace {

Task<void> sleep_void(Executor& executor, Duration time, CancellationToken token) {
  co_await sleep_for(executor, time, token);
}
Task<int> sleep_int(Executor& executor, Duration time, CancellationToken token) {
  co_await sleep_for(executor, time, token);
  co_return 5;
}
Task<int> ignore_token(Executor& executor, Duration time) { return sleep_int(executor, time, CancellationToken{}); }
Task<int> fail_at_once() {
  throw std::runtime_error("failed");
  co_return 0;
}

auto sleeping(Executor& executor, Duration time) {
  return [&executor, time](CancellationToken token) { return sleep_int(executor, time, token); };
}

}  // namespace

TEST_CASE("A sleep ends at its time and not before") {
  ManualExecutor executor;
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("sleeper", sleep_void(executor, 10ms, scope.token()));
  executor.advance(10ms - 1ns);
  CHECK_FALSE(scope.empty());
  executor.advance(1ns);
  CHECK(scope.empty());
}

TEST_CASE("An endless sleep can be cancelled") {
  ManualExecutor executor;
  executor.advance(1h);
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("sleeper", sleep_void(executor, Duration::max(), scope.token()));
  executor.run_ready();
  CHECK(executor.timers() == 1);
  scope.request_stop();
  CHECK(executor.timers() == 0);
  run_task(executor, scope.join());
}

TEST_CASE("A timer and a request at the same moment wake the sleeper once") {
  ManualExecutor executor;
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("sleeper", sleep_void(executor, 1s, scope.token()));
  executor.run_ready();
  CHECK(executor.advance_to_next_timer());
  scope.request_stop();
  run_task(executor, scope.join());
}

TEST_CASE("with_timeout returns the value, or nothing when the time runs out") {
  ManualExecutor executor;
  CHECK(run_task(executor, with_timeout(executor, 2s, sleeping(executor, 1s), CancellationToken{})) == 5);
  CHECK(executor.now() == TimePoint(1s));
  CHECK(run_task(executor, with_timeout(executor, 2s, sleeping(executor, 3s), CancellationToken{})) == std::nullopt);
  CHECK(executor.now() == TimePoint(3s));
}

TEST_CASE("with_timeout of a void task returns a bool") {
  ManualExecutor executor;
  auto fn = [&executor](CancellationToken token) { return sleep_void(executor, 1s, token); };
  CHECK(run_task(executor, with_timeout(executor, 2s, fn, CancellationToken{})));
  CHECK_FALSE(run_task(executor, with_timeout(executor, 500ms, fn, CancellationToken{})));
}

TEST_CASE("with_timeout waits for a callee that ignores the cancellation, and returns its result") {
  ManualExecutor executor;
  auto fn = [&executor](CancellationToken) { return ignore_token(executor, 5s); };
  CHECK(run_task(executor, with_timeout(executor, 1s, fn, CancellationToken{})) == 5);
  CHECK(executor.now() == TimePoint(5s));
}

TEST_CASE("with_timeout passes on failures and the caller's cancellation") {
  ManualExecutor executor;
  auto fail = [](CancellationToken) { return fail_at_once(); };
  CHECK_THROWS_AS(run_task(executor, with_timeout(executor, 1s, fail, CancellationToken{})), std::runtime_error);
  CancellationSource source;
  executor.arm(executor.now() + 1s, [&source] { source.request(); });
  CHECK_THROWS_AS(run_task(executor, with_timeout(executor, 1h, sleeping(executor, 3h), source.token())), Cancelled);
  CHECK(executor.now() == TimePoint(1s));
}
