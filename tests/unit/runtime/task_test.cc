#include "libpeer/runtime/task.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>

#include "libpeer/base/result.h"
#include "libpeer/runtime/event.h"
#include "support/aborts.h"
#include "support/run_task.h"

using namespace peer::runtime;

namespace {

Task<int> one() { co_return 1; }
Task<long> sum_of_ones(int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await one();
  co_return sum;
}
Task<std::unique_ptr<int>> move_only() { co_return std::make_unique<int>(3); }
Task<peer::Result<int>> failing_result() { co_return peer::fail(peer::ErrorCode::busy, "busy"); }
Task<int> throwing() {
  throw std::runtime_error("thrown");
  co_return 0;
}
Task<int> rethrowing() {
  auto task = throwing();
  co_return co_await task;
}
Task<void> set_and_note(Event& event, bool* resumed_inline, const bool* resumed) {
  event.set();
  *resumed_inline = *resumed;
  co_return;
}
Task<void> wait_and_note(Event& event, bool* resumed) {
  co_await event.wait(CancellationToken{});
  *resumed = true;
}
Task<void> await_twice() {
  auto task = one();
  co_await task;
  co_await task;
}

}  // namespace

TEST_CASE("A million awaits that complete inline use no stack") {
  ManualExecutor executor;
  CHECK(peer::test::run_task(executor, sum_of_ones(1'000'000)) == 1'000'000);
}

TEST_CASE("A task returns values and results and throws exceptions") {
  ManualExecutor executor;
  CHECK(*peer::test::run_task(executor, move_only()) == 3);
  CHECK(peer::test::run_task(executor, failing_result()).error().code == peer::ErrorCode::busy);
  CHECK_THROWS_AS(peer::test::run_task(executor, rethrowing()), std::runtime_error);
}

TEST_CASE("A task that never started may be destroyed, with its arguments") {
  auto value = std::make_shared<int>(1);
  auto keep = [](std::shared_ptr<int> kept) -> Task<void> {
    (void)kept;
    co_return;
  };
  {
    const Task<void> task = keep(value);
  }
  CHECK(value.use_count() == 1);
}

TEST_CASE("Waking resumes nothing inline") {
  ManualExecutor executor;
  Event event;
  bool resumed = false;
  bool resumed_inline = true;
  peer::test::detail::Outcome<void> waiting;
  peer::test::detail::run_root(wait_and_note(event, &resumed), &waiting).start(executor);
  executor.run_ready();
  peer::test::run_task(executor, set_and_note(event, &resumed_inline, &resumed));
  CHECK_FALSE(resumed_inline);
  CHECK(resumed);
}

TEST_CASE("Awaiting a task twice ends the program") {
  CHECK(peer::test::aborts([] {
    ManualExecutor executor;
    peer::test::run_sync(executor, await_twice());
  }));
}
