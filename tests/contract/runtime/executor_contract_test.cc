// The contract of every Executor, and of sleeps.
#include <catch2/catch_template_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "contract/runtime/loops.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::OnManual;
using peer::test::OnUv;

namespace {

Task<void> note(std::vector<int>* order, int value) {
  order->push_back(value);
  co_return;
}
Task<void> wake_in_order(Executor& executor) {
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) scope.spawn("note", note(&order, i));
  CHECK(order.empty());
  co_await scope.join();
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

Task<void> post_in_order(Executor& executor) {
  std::vector<int> order;
  Event done;
  for (int i = 0; i < 100; ++i) CHECK(executor.post([&order, i] { order.push_back(i); }));
  executor.post([&] {
    executor.post([&done] { done.set(); });
    order.push_back(100);
  });
  CHECK(order.empty());
  co_await done.wait(CancellationToken{});
  REQUIRE(order.size() == 101);
  for (int i = 0; i <= 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

Task<void> post_from_threads(Executor& executor) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::vector<int>> seen(kThreads);
  int left = kThreads * kEach;
  Event done;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        executor.post([&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (--left == 0) done.set();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  co_await done.wait(CancellationToken{});
  for (const std::vector<int>& one : seen) {
    CHECK(one.size() == kEach);
    CHECK(std::is_sorted(one.begin(), one.end()));
  }
}

Task<void> never_early(Executor& executor) {
  std::vector<int> order;
  Event done;
  int left = 0;
  for (const Duration delay : {3000us, 1us, 0us, 700us, 1500us, 10us, -5us}) {
    ++left;
    const TimePoint at = executor.now() + delay;
    executor.arm(at, [&, at] {
      CHECK(executor.now() >= at);
      if (--left == 0) done.set();
    });
  }
  co_await done.wait(CancellationToken{});
}

// The clock is read at each call: a sleep that starts late in a long turn still takes its full time.
Task<void> sleep_after_long_turn(Executor& executor) {
  std::this_thread::sleep_for(5ms);
  const TimePoint before = executor.now();
  co_await sleep_for(executor, 2ms, CancellationToken{});
  CHECK(executor.now() - before >= 2ms);
}

Task<void> timers_in_order(Executor& executor) {
  std::vector<int> order;
  const TimePoint at = executor.now() + 2ms;
  executor.arm(at + 1ms, [&order] { order.push_back(4); });
  executor.arm(at, [&order] { order.push_back(2); });
  executor.arm(at, [&order] { order.push_back(3); });
  executor.arm(at - 1ms, [&order] { order.push_back(1); });
  co_await sleep_for(executor, 4ms, CancellationToken{});
  CHECK(order == std::vector{1, 2, 3, 4});
}

Task<void> disarming(Executor& executor) {
  bool fired = false;
  auto owned = std::make_shared<int>(1);
  const Executor::Timer timer = executor.arm(executor.now() + 1ms, [&fired, owned] { fired = true; });
  executor.disarm(timer);
  executor.disarm(timer);
  CHECK(owned.use_count() == 1);
  // A timer may disarm another that is due at the same moment. Disarming one that has fired does nothing.
  const TimePoint at = executor.now() + 1ms;
  Executor::Timer second;
  const Executor::Timer first = executor.arm(at, [&] { executor.disarm(second); });
  second = executor.arm(at, [&fired] { fired = true; });
  co_await sleep_for(executor, 3ms, CancellationToken{});
  executor.disarm(first);
  CHECK_FALSE(fired);
}

Task<void> earlier_timer_later(Executor& executor) {
  // The later timer is armed first, and the earlier one after a turn of the loop. It must not wait for the later one.
  bool late = false;
  const Executor::Timer timer = executor.arm(executor.now() + 1h, [&late] { late = true; });
  co_await sleep_for(executor, 1ms, CancellationToken{});
  co_await sleep_for(executor, 1ms, CancellationToken{});
  executor.disarm(timer);
  CHECK_FALSE(late);
}

Task<void> sleep_long(Executor& executor, CancellationToken token) { co_await sleep_for(executor, 1h, token); }
Task<void> cancel_sleeps(Executor& executor) {
  Scope scope(executor, "scope", CancellationToken{});
  for (int i = 0; i < 10; ++i) scope.spawn("sleep", sleep_long(executor, scope.token()));
  co_await sleep_for(executor, 1ms, CancellationToken{});
  scope.request_stop();
  co_await scope.join();
}

Task<void> sleep_zero_turns(Executor& executor) {
  for (int i = 0; i < 100; ++i) co_await sleep_for(executor, Duration::zero(), CancellationToken{});
}

Task<void> nothing() { co_return; }

}  // namespace

TEMPLATE_TEST_CASE("Coroutines resume in the order of waking", "", OnManual, OnUv) {
  TestType loop;
  loop.run(wake_in_order(loop.executor));
}
TEMPLATE_TEST_CASE("Posts run in order", "", OnManual, OnUv) {
  TestType loop;
  loop.run(post_in_order(loop.executor));
}
TEMPLATE_TEST_CASE("Posts may come from any thread; each thread's run in order", "", OnManual, OnUv) {
  TestType loop;
  loop.run(post_from_threads(loop.executor));
}
TEMPLATE_TEST_CASE("No timer fires early", "", OnManual, OnUv) {
  TestType loop;
  loop.run(never_early(loop.executor));
}
TEMPLATE_TEST_CASE("The clock is read at each call", "", OnManual, OnUv) {
  TestType loop;
  loop.run(sleep_after_long_turn(loop.executor));
}
TEMPLATE_TEST_CASE("Timers fire in order of time, then of arming", "", OnManual, OnUv) {
  TestType loop;
  loop.run(timers_in_order(loop.executor));
}
TEMPLATE_TEST_CASE("A disarmed timer does not fire", "", OnManual, OnUv) {
  TestType loop;
  loop.run(disarming(loop.executor));
}
TEMPLATE_TEST_CASE("A timer armed later but due earlier fires first", "", OnManual, OnUv) {
  TestType loop;
  loop.run(earlier_timer_later(loop.executor));
}
TEMPLATE_TEST_CASE("A sleep is cancelled at once", "", OnManual, OnUv) {
  TestType loop;
  loop.run(cancel_sleeps(loop.executor));
}
TEMPLATE_TEST_CASE("A sleep of zero length ends", "", OnManual, OnUv) {
  TestType loop;
  loop.run(sleep_zero_turns(loop.executor));
}
TEMPLATE_TEST_CASE("A post after the close is refused and destroyed", "", OnManual, OnUv) {
  auto owned = std::make_shared<int>(1);
  TestType loop;
  loop.run(nothing());
  loop.close();
  CHECK_FALSE(loop.executor.post([owned] {}));
  CHECK(owned.use_count() == 1);
}
