#include "libpeer/runtime/call_on.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <thread>

#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/offload_abandonable.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/thread_workers.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

namespace {

Task<std::unique_ptr<int>> answer(std::thread::id* ran_on) {
  *ran_on = std::this_thread::get_id();
  co_return std::make_unique<int>(42);
}
Task<void> fail_there() {
  throw std::runtime_error("over there");
  co_return;
}
Task<void> sleep_there(Executor& executor, CancellationToken token) { co_await sleep_for(executor, 1h, token); }

Task<void> call_and_get(Scope& there, std::thread::id* ran_on) {
  auto fn = [ran_on](CancellationToken) { return answer(ran_on); };
  const std::unique_ptr<int> value = co_await call_on(there, "answer", fn, CancellationToken{});
  CHECK(*value == 42);
}
Task<void> call_failing(Scope& there) {
  auto fn = [](CancellationToken) { return fail_there(); };
  co_await call_on(there, "fail", fn, CancellationToken{});
}
Task<void> call_sleeping(Scope& there, CancellationToken token) {
  auto fn = [&there](CancellationToken inner) { return sleep_there(there.executor(), inner); };
  co_await call_on(there, "sleep", fn, token);
}
Task<void> cancel_soon(Executor& here, Scope& there) {
  CancellationSource source;
  Scope scope(here, "calls", source.token());
  scope.spawn("call", call_sleeping(there, scope.token()));
  co_await sleep_for(here, 1ms, CancellationToken{});
  source.request();
  co_await scope.join();
}

}  // namespace

TEST_CASE("A call runs on the other loop and its value comes back") {
  LoopThread there("there");
  std::thread::id ran_on;
  peer::test::run_on_uv(call_and_get(there.scope(), &ran_on));
  CHECK(ran_on != std::this_thread::get_id());
  CHECK(ran_on != std::thread::id{});
  there.stop();
}

TEST_CASE("The callee's exception reaches the caller and leaves the callee's scope alone") {
  LoopThread there("there");
  CHECK_THROWS_AS(peer::test::run_on_uv(call_failing(there.scope())), std::runtime_error);
  std::thread::id ran_on;
  peer::test::run_on_uv(call_and_get(there.scope(), &ran_on));
  there.stop();
}

TEST_CASE("Cancelling the caller cancels the callee, and the caller waits for its end") {
  LoopThread there("there");
  peer::test::run_on_uv([&there](UvExecutor& here) { return cancel_soon(here, there.scope()); });
  there.stop();
}

TEST_CASE("A call to a closed loop is Cancelled") {
  LoopThread there("there");
  there.stop();
  std::thread::id ran_on;
  CHECK_THROWS_AS(peer::test::run_on_uv(call_and_get(there.scope(), &ran_on)), Cancelled);
}

TEST_CASE("A call into a joined scope is Cancelled") {
  ManualExecutor executor;
  Scope there(executor, "there", CancellationToken{});
  peer::test::run_task(executor, there.join());
  std::thread::id ran_on;
  CHECK_THROWS_AS(peer::test::run_task(executor, call_and_get(there, &ran_on)), Cancelled);
}
