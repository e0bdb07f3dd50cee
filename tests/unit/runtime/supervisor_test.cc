#include "libpeer/runtime/supervisor.h"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <vector>

#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::run_task;

namespace {

Task<void> fail_after(Executor& executor, Duration time, CancellationToken token) {
  co_await sleep_for(executor, time, token);
  throw std::runtime_error("broke");
}
Task<void> fail_when_stopped(Executor& executor, CancellationToken token) {
  try {
    co_await sleep_for(executor, 1h, token);
  } catch (const Cancelled&) {
    throw std::runtime_error("broke while stopping");
  }
}
Task<void> nothing() { co_return; }
Task<void> stray() {
  throw Cancelled{};
  co_return;
}

struct Fixture {
  ManualExecutor executor;
  Scope scope{executor, "scope", CancellationToken{}};
  std::vector<ServiceExit> exits;
  int runs = 0;

  ExitObserver observer() {
    return [this](const ServiceExit& exit) { exits.push_back(exit); };
  }
  Service failing(Duration time) {
    return [this, time](CancellationToken token) {
      ++runs;
      return fail_after(executor, time, token);
    };
  }
};

}  // namespace

TEST_CASE("A required service's failure fails the scope") {
  Fixture f;
  spawn_supervised(f.scope, "server", f.failing(1s), Required{}, f.observer());
  CHECK_THROWS_AS(run_task(f.executor, f.scope.join()), std::runtime_error);
  REQUIRE(f.exits.size() == 1);
  CHECK(f.exits[0].name == "server");
  CHECK(describe(f.exits[0].error) == "broke");
  CHECK_FALSE(f.exits[0].stopping);
}

TEST_CASE("A required service that returns fails the scope") {
  Fixture f;
  auto service = [](CancellationToken) { return nothing(); };
  spawn_supervised(f.scope, "server", service, Required{}, f.observer());
  CHECK_THROWS_AS(run_task(f.executor, f.scope.join()), std::runtime_error);
  REQUIRE(f.exits.size() == 1);
  CHECK(f.exits[0].error == nullptr);
}

TEST_CASE("A restarted service runs again after the delay, until the scope is cancelled") {
  Fixture f;
  spawn_supervised(f.scope, "discovery", f.failing(1s), Restart{4s}, f.observer());
  f.executor.advance(12s);
  CHECK(f.runs == 3);
  CHECK(f.exits.size() == 3);
  f.scope.request_stop();
  run_task(f.executor, f.scope.join());
  CHECK(f.exits.size() == 3);
}

TEST_CASE("Restart without a delay does not spin") {
  Fixture f;
  auto service = [&f](CancellationToken) {
    ++f.runs;
    return nothing();
  };
  spawn_supervised(f.scope, "busy", service, Restart{Duration::zero()}, f.observer());
  f.executor.advance(1s);
  CHECK(f.runs == 101);
  f.scope.request_stop();
  run_task(f.executor, f.scope.join());
}

TEST_CASE("A best-effort service ends without effect on the others") {
  Fixture f;
  spawn_supervised(f.scope, "monitor", f.failing(1s), BestEffort{}, f.observer());
  run_task(f.executor, f.scope.join());
  CHECK(f.runs == 1);
  CHECK(f.exits.size() == 1);
  CHECK_FALSE(f.scope.token().requested());
}

TEST_CASE("An error during shutdown is reported as such and fails nothing") {
  Fixture f;
  auto service = [&f](CancellationToken token) { return fail_when_stopped(f.executor, token); };
  spawn_supervised(f.scope, "server", service, Required{}, f.observer());
  f.executor.run_ready();
  f.scope.request_stop();
  run_task(f.executor, f.scope.join());
  REQUIRE(f.exits.size() == 1);
  CHECK(f.exits[0].stopping);
}

TEST_CASE("A clean end during shutdown is not reported") {
  Fixture f;
  spawn_supervised(f.scope, "server", f.failing(1h), Required{}, f.observer());
  f.executor.run_ready();
  f.scope.request_stop();
  run_task(f.executor, f.scope.join());
  CHECK(f.exits.empty());
}

TEST_CASE("A stray Cancelled is a failure, and so is an exception before the first suspension") {
  Fixture f;
  spawn_supervised(f.scope, "stray", [](CancellationToken) { return stray(); }, BestEffort{}, f.observer());
  auto refuse = [](CancellationToken) -> Task<void> { throw std::runtime_error("not even a task"); };
  spawn_supervised(f.scope, "refusing", refuse, BestEffort{}, f.observer());
  run_task(f.executor, f.scope.join());
  REQUIRE(f.exits.size() == 2);
  CHECK(describe(f.exits[0].error) == "stray: stray cancellation");
  CHECK(describe(f.exits[1].error) == "not even a task");
}

TEST_CASE("An observer may throw or cancel the scope") {
  Fixture f;
  auto throwing = [](const ServiceExit&) { throw std::runtime_error("observer"); };
  spawn_supervised(f.scope, "a", f.failing(1s), BestEffort{}, throwing);
  auto cancelling = [&f](const ServiceExit&) { f.scope.request_stop(); };
  spawn_supervised(f.scope, "b", f.failing(2s), Required{}, cancelling);
  spawn_supervised(f.scope, "c", f.failing(1h), Restart{1s}, nullptr);
  run_task(f.executor, f.scope.join());
  CHECK(f.executor.now() == TimePoint(2s));
}
