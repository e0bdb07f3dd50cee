#include "libpeer/runtime/scope.h"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <vector>

#include "libpeer/runtime/sleep.h"
#include "support/aborts.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::run_task;

namespace {

Task<void> sleeper(Executor& executor, Duration time, CancellationToken token) {
  co_await sleep_for(executor, time, token);
}
Task<void> fail_after(Executor& executor, Duration time, std::string what) {
  co_await sleep_for(executor, time, CancellationToken{});
  throw std::runtime_error(what);
}
Task<void> stray() {
  throw Cancelled{};
  co_return;
}
Task<void> note(std::vector<int>* order, int value) {
  order->push_back(value);
  co_return;
}
Task<void> spawn_more(Scope& scope, std::vector<int>* order) {
  scope.spawn("more", note(order, 2));
  order->push_back(1);
  co_return;
}

}  // namespace

TEST_CASE("join waits for every task, including those spawned meanwhile") {
  ManualExecutor executor;
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> order;
  scope.spawn("first", spawn_more(scope, &order));
  CHECK(order.empty());
  run_task(executor, scope.join());
  CHECK(order == std::vector{1, 2});
  CHECK(scope.empty());
  CHECK(scope.joined());
}

TEST_CASE("A failure stops the siblings, and join rethrows it") {
  ManualExecutor executor;
  CancellationSource root;
  Scope scope(executor, "scope", root.token());
  scope.spawn("sleeper", sleeper(executor, 1h, scope.token()));
  scope.spawn("failing", fail_after(executor, 1s, "first"));
  CHECK_THROWS_AS(run_task(executor, scope.join()), std::runtime_error);
  CHECK(executor.now() == TimePoint(1s));
  CHECK_FALSE(root.token().requested());
}

TEST_CASE("join reports every failure") {
  ManualExecutor executor;
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("a", fail_after(executor, 1s, "first"));
  scope.spawn("b", fail_after(executor, 2s, "second"));
  try {
    run_task(executor, scope.join());
    FAIL("nothing thrown");
  } catch (const ScopeFailed& failed) {
    CHECK(std::string(failed.what()) == "first; second");
  }
}

TEST_CASE("Cancelled is a normal end if the scope was cancelled, and a failure otherwise") {
  ManualExecutor executor;
  {
    Scope scope(executor, "scope", CancellationToken{});
    scope.spawn("sleeper", sleeper(executor, 1h, scope.token()));
    scope.request_stop();
    run_task(executor, scope.join());
  }
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("stray", stray());
  CHECK_THROWS_AS(run_task(executor, scope.join()), std::logic_error);
}

TEST_CASE("A task spawned into a cancelled scope still runs") {
  ManualExecutor executor;
  Scope scope(executor, "scope", CancellationToken{});
  scope.request_stop();
  std::vector<int> order;
  scope.spawn("late", note(&order, 1));
  run_task(executor, scope.join());
  CHECK(order == std::vector{1});
}

TEST_CASE("Scopes below are cancelled with their parent and are listed under it") {
  ManualExecutor executor;
  Scope outer(executor, "outer", CancellationToken{});
  {
    Scope inner(outer, "inner");
    outer.spawn("a", sleeper(executor, 1h, outer.token()));
    inner.spawn("b", sleeper(executor, 1h, inner.token()));
    CHECK(outer.size() == 2);
    CHECK(inner.size() == 1);
    CHECK(inner.size_of_tree() == 2);
    std::vector<std::string> seen;
    outer.visit([&seen](const std::string& task, const std::string& scope) { seen.push_back(scope + "/" + task); });
    CHECK(seen == std::vector<std::string>{"outer/a", "inner/b"});
    outer.request_stop();
    run_task(executor, inner.join());
  }
  run_task(executor, outer.join());
  CHECK(outer.size() == 0);
  CHECK(outer.size_of_tree() == 0);
}

TEST_CASE("Misuse of a scope ends the program") {
  CHECK(peer::test::aborts([] {  // spawn after join
    ManualExecutor executor;
    Scope scope(executor, "scope", CancellationToken{});
    peer::test::run_sync(executor, scope.join());
    std::vector<int> order;
    scope.spawn("late", note(&order, 1));
  }));
  CHECK(peer::test::aborts([] {  // destruction with a live task
    ManualExecutor executor;
    Scope scope(executor, "scope", CancellationToken{});
    scope.spawn("sleeper", sleeper(executor, 1h, scope.token()));
    executor.run_ready();
  }));
  CHECK(peer::test::aborts([] {  // destruction with an unreported failure
    ManualExecutor executor;
    Scope scope(executor, "scope", CancellationToken{});
    scope.spawn("stray", stray());
    executor.run_ready();
  }));
}
