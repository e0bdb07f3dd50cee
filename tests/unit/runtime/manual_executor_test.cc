#include "libpeer/runtime/manual_executor.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <vector>

#include "libpeer/runtime/scope.h"
#include "support/aborts.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

namespace {
Task<void> note(std::vector<int>* order, int value) {
  order->push_back(value);
  co_return;
}
}  // namespace

TEST_CASE("Posted functions and coroutines run in one order") {
  ManualExecutor executor;
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> order;
  executor.post([&order] { order.push_back(1); });
  scope.spawn("task", note(&order, 2));
  executor.post([&order] { order.push_back(3); });
  CHECK_FALSE(executor.idle());
  CHECK(executor.run_ready() == 3);
  CHECK(executor.idle());
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("advance fires timers in order of time, then of arming, each at its own time") {
  ManualExecutor executor;
  std::vector<int> order;
  executor.arm(TimePoint(2s), [&order] { order.push_back(3); });
  executor.arm(TimePoint(1s), [&] {
    order.push_back(1);
    CHECK(executor.now() == TimePoint(1s));
    executor.arm(TimePoint(1s), [&order] { order.push_back(2); });
  });
  const auto gone = executor.arm(TimePoint(1s), [&order] { order.push_back(99); });
  executor.disarm(gone);
  executor.arm(TimePoint(2s), [&order] { order.push_back(4); });
  executor.arm(TimePoint(3s), [&order] { order.push_back(5); });
  executor.advance(2s);
  CHECK(order == std::vector{1, 2, 3, 4});
  CHECK(executor.timers() == 1);
  CHECK(executor.now() == TimePoint(2s));
}

TEST_CASE("A timer in the past does not move the clock back") {
  ManualExecutor executor;
  executor.advance(1s);
  executor.arm(TimePoint{}, [] {});
  CHECK(executor.advance_to_next_timer());
  CHECK(executor.now() == TimePoint(1s));
  CHECK_FALSE(executor.advance_to_next_timer());
}

TEST_CASE("After close() posts are refused; functions that never ran are destroyed with the executor") {
  auto owned = std::make_shared<int>(1);
  {
    ManualExecutor executor;
    CHECK(executor.post([owned] {}));
    executor.close();
    CHECK_FALSE(executor.post([owned] {}));
    CHECK(owned.use_count() == 2);
  }
  CHECK(owned.use_count() == 1);
}

TEST_CASE("An exception from a posted or timer function ends the program") {
  CHECK(peer::test::aborts([] {
    ManualExecutor executor;
    executor.post([] { throw std::runtime_error("thrown"); });
    executor.run_ready();
  }));
  CHECK(peer::test::aborts([] {
    ManualExecutor executor;
    executor.arm(TimePoint{}, [] { throw std::runtime_error("thrown"); });
    executor.advance(1s);
  }));
}

TEST_CASE("Manual workers complete jobs in an order that the seed decides") {
  auto order_of = [](std::uint64_t seed) {
    ManualExecutor executor;
    ManualWorkers workers(executor, seed, 10ms);
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) workers.submit([&order, i] { order.push_back(i); });
    CHECK(workers.outstanding() == 20);
    executor.advance(10ms);
    CHECK(workers.outstanding() == 0);
    return order;
  };
  CHECK(order_of(1) == order_of(1));
  CHECK(order_of(1) != order_of(2));
}

TEST_CASE("Manual workers without delay keep the order and need no clock") {
  ManualExecutor executor;
  ManualWorkers workers(executor, 1, 0ms);
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) workers.submit([&order, i] { order.push_back(i); });
  CHECK(order.empty());
  executor.run_ready();
  CHECK(order == std::vector{0, 1, 2});
}
