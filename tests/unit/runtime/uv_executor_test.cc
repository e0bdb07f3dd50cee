#include "libpeer/runtime/uv_executor.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <thread>

#include "libpeer/runtime/event.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/sleep.h"
#include "support/aborts.h"
#include "support/hop.h"
#include "support/run_task.h"

using namespace peer::runtime;
using peer::test::Hop;
using namespace std::chrono_literals;

namespace {

Task<void> hop() {
  Hop wait;
  co_await wait;
}

Task<void> count_turns(UvExecutor& executor, int hops, int* turns) {
  uv_check_t check;
  uv_check_init(executor.loop(), &check);
  check.data = turns;
  uv_check_start(&check, [](uv_check_t* handle) { ++*static_cast<int*>(handle->data); });
  for (int i = 0; i < hops; ++i) co_await hop();
  Event closed;
  check.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&check),
           [](uv_handle_t* handle) { static_cast<Event*>(handle->data)->set(); });
  co_await closed.wait(CancellationToken{});
}

Task<void> hop_until(const bool* stop) {
  while (!*stop) co_await hop();
}

Task<void> wake_from_libuv(UvExecutor& executor) {
  // A libuv handle whose callback runs after the poll wakes the coroutine: the next poll must not wait.
  Event fired;
  uv_timer_t timer;
  uv_timer_init(executor.loop(), &timer);
  timer.data = &fired;
  uv_timer_start(&timer, [](uv_timer_t* handle) { static_cast<Event*>(handle->data)->set(); }, 1, 0);
  co_await fired.wait(CancellationToken{});
  Event closed;
  timer.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&timer),
           [](uv_handle_t* handle) { static_cast<Event*>(handle->data)->set(); });
  co_await closed.wait(CancellationToken{});
}

Task<void> fail() {
  throw std::runtime_error("main failed");
  co_return;
}
Task<void> post_throwing(Executor& executor) {
  executor.post([] { throw std::runtime_error("posted"); });
  co_await sleep_for(executor, 1h, CancellationToken{});
}
Task<void> arm_throwing(Executor& executor) {
  executor.arm(executor.now(), [] { throw std::runtime_error("timer"); });
  co_await sleep_for(executor, 1h, CancellationToken{});
}
Task<void> leave_handle_open(UvExecutor& executor, uv_idle_t* handle) {
  uv_idle_init(executor.loop(), handle);
  co_return;
}
Task<void> nothing() { co_return; }
Task<void> fail_after(Executor& executor, Duration delay) {
  co_await sleep_for(executor, delay, CancellationToken{});
  throw std::runtime_error("task failed");
}

}  // namespace

TEST_CASE("One turn of the loop resumes many coroutines, up to a limit") {
  int turns = 0;
  constexpr int kHops = 10'000;
  peer::test::run_on_uv([&turns](UvExecutor& executor) { return count_turns(executor, kHops, &turns); });
  CHECK(turns >= kHops / 512 - 1);
  CHECK(turns <= kHops / 4);
}

TEST_CASE("A coroutine that is always ready does not starve posts") {
  bool stop = false;
  UvExecutor executor;
  std::thread other([&] { executor.post([&stop] { stop = true; }); });
  executor.run(hop_until(&stop));
  other.join();
  CHECK(stop);
}

TEST_CASE("The loop does not wait after a wake from a libuv callback") {
  peer::test::run_on_uv([](UvExecutor& executor) { return wake_from_libuv(executor); });
}

TEST_CASE("run rethrows what main throws") { CHECK_THROWS_AS(peer::test::run_on_uv(fail()), std::runtime_error); }

TEST_CASE("An executor that never ran closes cleanly") { const UvExecutor executor; }

TEST_CASE("An exception that would cross libuv's frames ends the program") {
  CHECK(
      peer::test::aborts([] { peer::test::run_on_uv([](UvExecutor& executor) { return post_throwing(executor); }); }));
  CHECK(peer::test::aborts([] { peer::test::run_on_uv([](UvExecutor& executor) { return arm_throwing(executor); }); }));
}

TEST_CASE("A libuv handle left open ends the program") {
  CHECK(peer::test::aborts([] {
    uv_idle_t handle;
    peer::test::run_on_uv([&handle](UvExecutor& executor) { return leave_handle_open(executor, &handle); });
  }));
}

TEST_CASE("Using a loop from another thread ends the program") {
  CHECK(peer::test::aborts([] {
    UvExecutor executor;
    std::thread other([&executor] { executor.arm(executor.now(), [] {}); });
    other.join();
  }));
}

TEST_CASE("Every accepted post runs, even at the end") {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> accepted = 0;
    int ran = 0;
    UvExecutor executor;
    std::thread other([&] {
      while (executor.post([&ran] { ++ran; })) ++accepted;
    });
    executor.run(nothing());
    other.join();
    CHECK(accepted == ran);
  }
}

TEST_CASE("A loop thread ends with its tasks cancelled, and a second stop does nothing") {
  LoopThread thread("loop");
  thread.executor().post(
      [&thread] { thread.scope().spawn("sleeper", sleep_for(thread.executor(), 1h, thread.scope().token())); });
  thread.stop();
  thread.stop();
  CHECK_FALSE(thread.executor().post([] {}));
}

TEST_CASE("A failed task of a loop thread ends the program") {
  CHECK(peer::test::aborts([] {
    LoopThread thread("loop");
    thread.executor().post([&thread] { thread.scope().spawn("failing", fail_after(thread.executor(), 1ms)); });
    std::this_thread::sleep_for(1min);
  }));
}
