#include "libpeer/runtime/event.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <vector>

#include "libpeer/runtime/scope.h"
#include "support/aborts.h"
#include "support/run_task.h"

using namespace peer::runtime;
using peer::test::run_task;

namespace {
Task<void> wait_for(Event& event, std::vector<int>* order, int value, CancellationToken token) {
  co_await event.wait(token);
  order->push_back(value);
}
}  // namespace

TEST_CASE("set wakes all that wait, in order, and stays set") {
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

TEST_CASE("an event may end between set() and the waiters' turn") {
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

TEST_CASE("a cancelled waiter leaves the others waiting") {
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

TEST_CASE("a request that comes after set() comes too late; one that comes before the wait wins") {
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

TEST_CASE("an event destroyed while a coroutine waits ends the program") {
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
