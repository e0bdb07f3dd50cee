#include "libpeer/runtime/semaphore.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <vector>

#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/aborts.h"
#include "support/cancel_sweep.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::run_sync;
using peer::test::run_task;

namespace {

const CancellationToken kNever;

struct Order {
  std::vector<int> granted;
  std::vector<SemaphoreUnits> held;
};

Task<void> hold(Semaphore& semaphore, Order& order, int id, std::uint64_t units, CancellationToken token) {
  SemaphoreUnits mine = co_await semaphore.acquire(units, token);
  order.granted.push_back(id);
  order.held.push_back(std::move(mine));
}

}  // namespace

TEST_CASE("Free units are granted at once and return when they are destroyed") {
  ManualExecutor executor;
  Semaphore semaphore(3);
  {
    const SemaphoreUnits two = run_sync(executor, semaphore.acquire(2, kNever));
    CHECK(semaphore.used() == 2);
    CHECK_FALSE(semaphore.exhausted());
    CHECK_FALSE(semaphore.try_acquire(2).has_value());
    std::optional<SemaphoreUnits> one = semaphore.try_acquire(1);
    REQUIRE(one.has_value());
    CHECK(semaphore.exhausted());
    one->release();
    one->release();
    CHECK(semaphore.used() == 2);
  }
  CHECK(semaphore.used() == 0);
}

TEST_CASE("Units return when they are assigned to") {
  ManualExecutor executor;
  Semaphore semaphore(3);
  SemaphoreUnits held = run_sync(executor, semaphore.acquire(2, kNever));
  held = run_sync(executor, semaphore.acquire(1, kNever));
  CHECK(semaphore.used() == 1);
  held = SemaphoreUnits();
  CHECK(semaphore.used() == 0);
}

TEST_CASE("Requests are granted in order, and a large one is not overtaken") {
  ManualExecutor executor;
  Semaphore semaphore(3);
  Order order;
  Scope scope(executor, "scope", kNever);
  scope.spawn("first", hold(semaphore, order, 1, 2, scope.token()));
  scope.spawn("large", hold(semaphore, order, 2, 3, scope.token()));
  scope.spawn("small", hold(semaphore, order, 3, 1, scope.token()));
  executor.run_ready();
  CHECK(order.granted == std::vector{1});
  CHECK_FALSE(semaphore.try_acquire(1).has_value());
  order.held[0].release();
  executor.run_ready();
  CHECK(order.granted == std::vector{1, 2});
  order.held[1].release();
  run_task(executor, scope.join());
  CHECK(order.granted == std::vector{1, 2, 3});
}

TEST_CASE("A request above the total is granted alone, once every unit is free") {
  ManualExecutor executor;
  Semaphore semaphore(3);
  Order order;
  Scope scope(executor, "scope", kNever);
  scope.spawn("one", hold(semaphore, order, 1, 1, scope.token()));
  scope.spawn("huge", hold(semaphore, order, 2, 10, scope.token()));
  scope.spawn("next", hold(semaphore, order, 3, 1, scope.token()));
  executor.run_ready();
  CHECK(order.granted == std::vector{1});
  order.held[0].release();
  executor.run_ready();
  CHECK(order.granted == std::vector{1, 2});
  CHECK(semaphore.used() == 10);
  order.held[1].release();
  run_task(executor, scope.join());
  CHECK(order.granted == std::vector{1, 2, 3});
}

TEST_CASE("Cancelling a large request lets the smaller one behind it through") {
  ManualExecutor executor;
  Semaphore semaphore(3);
  Order order;
  Scope scope(executor, "scope", kNever);
  Scope large(executor, "large", kNever);
  scope.spawn("first", hold(semaphore, order, 1, 2, scope.token()));
  executor.run_ready();
  large.spawn("large", hold(semaphore, order, 2, 3, large.token()));
  executor.run_ready();
  scope.spawn("small", hold(semaphore, order, 3, 1, scope.token()));
  executor.run_ready();
  CHECK(order.granted == std::vector{1});
  large.request_stop();
  run_task(executor, large.join());
  run_task(executor, scope.join());
  CHECK(order.granted == std::vector{1, 3});
}

TEST_CASE("A request that was granted before the cancellation keeps its units") {
  ManualExecutor executor;
  Semaphore semaphore(1);
  Order order;
  std::optional<SemaphoreUnits> only = semaphore.try_acquire(1);
  Scope scope(executor, "scope", kNever);
  scope.spawn("waiter", hold(semaphore, order, 1, 1, scope.token()));
  executor.run_ready();
  only.reset();
  scope.request_stop();
  run_task(executor, scope.join());
  CHECK(order.granted == std::vector{1});
  CHECK(semaphore.used() == 1);
}

TEST_CASE("Units granted to a request that has just been cancelled return") {
  ManualExecutor executor;
  Semaphore semaphore(1);
  Order order;
  std::optional<SemaphoreUnits> only = semaphore.try_acquire(1);
  Scope scope(executor, "scope", kNever);
  Scope other(executor, "other", kNever);
  scope.spawn("cancelled", hold(semaphore, order, 1, 1, scope.token()));
  other.spawn("next", hold(semaphore, order, 2, 1, other.token()));
  executor.run_ready();
  scope.request_stop();
  only.reset();
  run_task(executor, scope.join());
  run_task(executor, other.join());
  CHECK(order.granted == std::vector{2});
}

TEST_CASE("A requested token is refused even if units are free") {
  ManualExecutor executor;
  Semaphore semaphore(1);
  CancellationSource source;
  source.request();
  CHECK_THROWS_AS(run_sync(executor, semaphore.acquire(1, source.token())), Cancelled);
  CHECK(semaphore.used() == 0);
}

namespace {

Task<void> work(Executor& executor, Semaphore& semaphore, std::uint64_t units, CancellationToken token) {
  for (int i = 0; i < 3; ++i) {
    const SemaphoreUnits held = co_await semaphore.acquire(units, token);
    CHECK(semaphore.used() <= 3);
    co_await sleep_for(executor, 1ms, token);
  }
}

Task<void> contend(Executor& executor, CancellationToken token) {
  Semaphore semaphore(3);
  Scope scope(executor, "workers", token);
  for (const std::uint64_t units : {2, 1, 3, 1}) scope.spawn("worker", work(executor, semaphore, units, scope.token()));
  co_await scope.join();
  CHECK(semaphore.used() == 0);
}

}  // namespace

TEST_CASE("No unit is lost wherever its holders are cancelled") { peer::test::cancel_at_each_step(contend); }

TEST_CASE("A semaphore destroyed while units are held ends the program") {
  CHECK(peer::test::aborts([] {
    auto semaphore = std::make_unique<Semaphore>(1);
    const std::optional<SemaphoreUnits> held = semaphore->try_acquire(1);
    semaphore.reset();
    _exit(0);
  }));
}
