#include "libpeer/runtime/with_scope.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <stdexcept>

#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"
#include "support/cancel_sweep.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using Catch::Matchers::Message;
using peer::test::run_task;

namespace {

struct World {
  ManualExecutor executor;
  CancellationSource source;
  Scope root{executor, "root", CancellationToken{}};
  int live = 0;

  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    run_task(executor, root.join());
    CHECK(live == 0);
  }
  template <class F>
  auto run(F body) {
    return run_task(executor, with_scope(root, "scope", std::move(body), source.token()));
  }
};

Task<void> sleeper(Executor& executor, int& live, CancellationToken token) {
  ++live;
  const Defer end([&live] { --live; });
  co_await sleep_for(executor, 1h, token);
}
Task<void> fail_after(Executor& executor, Duration delay, const char* message, CancellationToken token) {
  co_await sleep_for(executor, delay, token);
  throw std::runtime_error(message);
}
Task<void> fail_when_stopped(Executor& executor, CancellationToken token) {
  try {
    co_await sleep_for(executor, 1h, token);
  } catch (const Cancelled&) {
    throw std::runtime_error("could not stop");
  }
}

Task<int> answer(Scope& scope, int& live) {
  scope.spawn("sleeper", sleeper(scope.executor(), live, scope.token()));
  co_await sleep_for(scope.executor(), 1ms, scope.token());
  co_return 42;
}
Task<void> finish_all(Scope& scope, int* finished) {
  for (int i = 0; i < 3; ++i) {
    scope.spawn("task", [](Executor& executor, int* count, CancellationToken token) -> Task<void> {
      co_await sleep_for(executor, 1ms, token);
      ++*count;
    }(scope.executor(), finished, scope.token()));
  }
  co_await scope.join();
}
Task<void> fail_with_sleeper(Scope& scope, int& live) {
  scope.spawn("sleeper", sleeper(scope.executor(), live, scope.token()));
  co_await fail_after(scope.executor(), 1ms, "the body broke", scope.token());
}
Task<void> wait_for_failing_task(Scope& scope, int& live) {
  scope.spawn("sleeper", sleeper(scope.executor(), live, scope.token()));
  scope.spawn("failing", fail_after(scope.executor(), 1ms, "a task broke", scope.token()));
  co_await sleep_for(scope.executor(), 1h, scope.token());
}
Task<void> fail_with_stubborn_task(Scope& scope) {
  scope.spawn("stubborn", fail_when_stopped(scope.executor(), scope.token()));
  co_await fail_after(scope.executor(), 1ms, "the body broke", scope.token());
}
Task<void> join_failing_task(Scope& scope) {
  scope.spawn("failing", fail_after(scope.executor(), 1ms, "a task broke", scope.token()));
  co_await scope.join();
}
Task<void> throw_stray() {
  throw Cancelled{};
  co_return;
}

}  // namespace

TEST_CASE("When the body returns, its tasks are stopped and joined, and its value comes back") {
  World world;
  CHECK(world.run([&world](Scope& scope) { return answer(scope, world.live); }) == 42);
}

TEST_CASE("A body that joins the scope lets its tasks finish") {
  World world;
  int finished = 0;
  world.run([&finished](Scope& scope) { return finish_all(scope, &finished); });
  CHECK(finished == 3);
}

TEST_CASE("When the body fails, its tasks end first and its failure is rethrown") {
  World world;
  const auto body = [&world](Scope& scope) { return fail_with_sleeper(scope, world.live); };
  CHECK_THROWS_MATCHES(world.run(body), std::runtime_error, Message("the body broke"));
}

TEST_CASE("When a task fails, the body is cancelled and the task's failure is rethrown") {
  World world;
  const auto body = [&world](Scope& scope) { return wait_for_failing_task(scope, world.live); };
  CHECK_THROWS_MATCHES(world.run(body), std::runtime_error, Message("a task broke"));
}

TEST_CASE("Failures of the body and of a task are reported together") {
  World world;
  const auto body = [](Scope& scope) { return fail_with_stubborn_task(scope); };
  CHECK_THROWS_MATCHES(world.run(body), ScopeFailed, Message("the body broke; could not stop"));
}

TEST_CASE("A failure that the body learns from join is rethrown once") {
  World world;
  const auto body = [](Scope& scope) { return join_failing_task(scope); };
  CHECK_THROWS_MATCHES(world.run(body), std::runtime_error, Message("a task broke"));
}

TEST_CASE("A Cancelled that nobody requested is passed on") {
  World world;
  CHECK_THROWS_AS(world.run([](Scope&) { return throw_stray(); }), Cancelled);
}

namespace {
Task<void> nested(Executor& executor, CancellationToken token) {
  int live = 0;
  Scope root(executor, "root", CancellationToken{});
  bool cancelled = false;
  const auto body = [&live](Scope& scope) { return answer(scope, live); };
  try {
    const int value = co_await with_scope(root, "scope", body, token);
    CHECK(value == 42);
  } catch (const Cancelled&) {
    cancelled = true;
  }
  CHECK(live == 0);
  CHECK(root.empty());
  co_await root.join();
  if (cancelled) throw Cancelled{};
}
}  // namespace

TEST_CASE("Wherever the body is cancelled, its tasks end before it") { peer::test::cancel_at_each_step(nested); }
