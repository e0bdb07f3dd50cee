// Calls between two loops, each on its own thread, in both directions at once.
#include <catch2/catch_test_macros.hpp>
#include <latch>
#include <thread>

#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/uv_executor.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

namespace {

Task<int> add(Executor& executor, int a, int b, CancellationToken token) {
  if (a % 8 == 0) co_await sleep_for(executor, 10us, token);
  co_return a + b;
}

Task<void> caller(LoopThread& there, int calls, long* sum, CancellationToken token) {
  for (int i = 0; i < calls; ++i) {
    auto fn = [&there, i](CancellationToken inner) { return add(there.executor(), i, 1, inner); };
    *sum += co_await call_on(there.scope(), "add", fn, token);
  }
}
Task<void> notify(Task<void> task, std::latch& done) {
  co_await task;
  done.count_down();
}
Task<void> call_for_ever(LoopThread& there, CancellationToken token) {
  long sum = 0;
  while (true) co_await caller(there, 100, &sum, token);
}

}  // namespace

TEST_CASE("Two loops call each other at the same time") {
  constexpr int kCalls = 500;
  LoopThread a("a");
  LoopThread b("b");
  long sum_a = 0;
  long sum_b = 0;
  std::latch done(2);
  a.executor().post([&] { a.scope().spawn("calls", notify(caller(b, kCalls, &sum_a, a.scope().token()), done)); });
  b.executor().post([&] { b.scope().spawn("calls", notify(caller(a, kCalls, &sum_b, b.scope().token()), done)); });
  done.wait();
  a.stop();
  b.stop();
  CHECK(sum_a == long{kCalls} * (kCalls + 1) / 2);
  CHECK(sum_b == sum_a);
}

TEST_CASE("A loop that stops in the middle of calls ends them first") {
  for (int round = 0; round < 50; ++round) {
    LoopThread callee("callee");
    LoopThread caller_loop("caller");
    std::latch started(1);
    caller_loop.executor().post([&] {
      Scope& scope = caller_loop.scope();
      for (int i = 0; i < 4; ++i) scope.spawn("calls", call_for_ever(callee, scope.token()));
      started.count_down();
    });
    started.wait();
    if (round % 2 == 1) std::this_thread::yield();
    caller_loop.stop();
    callee.stop();
  }
}
