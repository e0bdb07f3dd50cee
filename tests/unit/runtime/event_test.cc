#include "libpeer/runtime/event.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <vector>

#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/aborts.h"
#include "support/cancel_sweep.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::run_task;

namespace {
Task<void> wait_for(Event& event, std::vector<int>* order, int value, CancellationToken token) {
  co_await event.wait(token);
  order->push_back(value);
}
}  // namespace

TEST_CASE("set wakes all waiting coroutines in order, and the event stays set") {
  ManualExecutor executor;
  auto event = std::make_unique<Event>();
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> order;
  for (int i = 1; i <= 3; ++i) scope.spawn("waiter", wait_for(*event, &order, i, scope.token()));
  executor.run_ready();
  CHECK(order.empty());
  event->set();
  CHECK(order.empty());
  executor.run_ready();
  scope.spawn("late", wait_for(*event, &order, 4, scope.token()));
  executor.run_ready();
  event.reset();
  CHECK(order == std::vector{1, 2, 3, 4});
  run_task(executor, scope.join());
}

TEST_CASE("An event may be destroyed between set() and the waiters' turn") {
  ManualExecutor executor;
  auto event = std::make_unique<Event>();
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> order;
  scope.spawn("waiter", wait_for(*event, &order, 1, scope.token()));
  executor.run_ready();
  event->set();
  event.reset();
  run_task(executor, scope.join());
  CHECK(order == std::vector{1});
}

TEST_CASE("A cancelled waiter leaves the others waiting") {
  ManualExecutor executor;
  Event event;
  Scope scope(executor, "scope", CancellationToken{});
  Scope other(executor, "other", CancellationToken{});
  std::vector<int> order;
  other.spawn("stays", wait_for(event, &order, 1, other.token()));
  scope.spawn("leaves", wait_for(event, &order, 2, scope.token()));
  other.spawn("stays", wait_for(event, &order, 3, other.token()));
  executor.run_ready();
  scope.request_stop();
  run_task(executor, scope.join());
  CHECK(order.empty());
  event.set();
  run_task(executor, other.join());
  CHECK(order == std::vector{1, 3});
}

TEST_CASE("A request after set() has no effect; one before the wait cancels it") {
  ManualExecutor executor;
  Event event;
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> order;
  scope.spawn("waiter", wait_for(event, &order, 1, scope.token()));
  executor.run_ready();
  event.set();
  scope.request_stop();
  executor.run_ready();
  CHECK(order == std::vector{1});
  scope.spawn("late", wait_for(event, &order, 2, scope.token()));
  run_task(executor, scope.join());
  CHECK(order == std::vector{1});
}

TEST_CASE("An event destroyed while a coroutine waits ends the program") {
  CHECK(peer::test::aborts([] {
    ManualExecutor executor;
    auto event = std::make_unique<Event>();
    Scope scope(executor, "scope", CancellationToken{});
    std::vector<int> order;
    scope.spawn("waiter", wait_for(*event, &order, 1, scope.token()));
    executor.run_ready();
    event.reset();
    _exit(0);
  }));
}

namespace {
Task<void> note_result(Executor& executor, Event& event, Duration limit, std::vector<int>* results) {
  const bool in_time = co_await event.wait_for(executor, limit, CancellationToken{});
  results->push_back(in_time ? 1 : 0);
}
Task<void> wait_for_value(Event& event, const int& value, int least, std::vector<int>* order, CancellationToken token) {
  const auto reached = [&value, least] { return value >= least; };
  co_await event.wait_until(reached, token);
  order->push_back(least);
}
}  // namespace

TEST_CASE("wait_for says whether the event was set in time") {
  ManualExecutor executor;
  Event event;
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> results;
  scope.spawn("short", note_result(executor, event, 1ms, &results));
  scope.spawn("long", note_result(executor, event, 1h, &results));
  executor.advance(2ms);
  CHECK(results == std::vector{0});
  event.set();
  run_task(executor, scope.join());
  CHECK(results == std::vector{0, 1});
}

TEST_CASE("wait_until checks its condition now and after each set") {
  ManualExecutor executor;
  Event event;
  Scope scope(executor, "scope", CancellationToken{});
  int value = 1;
  std::vector<int> order;
  for (const int least : {3, 1, 2}) {
    scope.spawn("waiter", wait_for_value(event, value, least, &order, scope.token()));
  }
  executor.run_ready();
  CHECK(order == std::vector{1});
  event.set();
  executor.run_ready();
  CHECK(order == std::vector{1});
  value = 3;
  executor.run_ready();
  CHECK(order == std::vector{1});
  event.set();
  run_task(executor, scope.join());
  CHECK(order == std::vector{1, 3, 2});
}

namespace {
Task<void> count_up(Executor& executor, Event& event, int& value, CancellationToken token) {
  while (value < 3) {
    co_await sleep_for(executor, 1ms, token);
    ++value;
    event.set();
  }
}
Task<void> wait_while_counting(Executor& executor, CancellationToken token) {
  Event event;
  int value = 0;
  std::vector<int> order;
  Scope scope(executor, "scope", token);
  scope.spawn("counter", count_up(executor, event, value, scope.token()));
  for (const int least : {1, 2, 3}) {
    scope.spawn("waiter", wait_for_value(event, value, least, &order, scope.token()));
  }
  co_await scope.join();
}
}  // namespace

TEST_CASE("wait_until can be cancelled at any step") { peer::test::cancel_at_each_step(wait_while_counting); }
