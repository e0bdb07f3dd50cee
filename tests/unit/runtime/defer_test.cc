#include "libpeer/runtime/defer.h"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <vector>

#include "libpeer/runtime/sleep.h"
#include "support/aborts.h"
#include "support/cancel_sweep.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

TEST_CASE("Cleanups run in reverse order at the end of the block") {
  std::vector<int> order;
  {
    const Defer first([&order] { order.push_back(1); });
    const Defer second([&order] { order.push_back(2); });
    CHECK(order.empty());
  }
  CHECK(order == std::vector{2, 1});
}

TEST_CASE("A cleanup runs when an exception leaves the block") {
  int runs = 0;
  try {
    const Defer count([&runs] { ++runs; });
    throw std::runtime_error("broke");
  } catch (const std::runtime_error&) {
  }
  CHECK(runs == 1);
}

TEST_CASE("A cleanup that throws ends the program") {
  CHECK(peer::test::aborts([] { const Defer bad([] { throw std::runtime_error("broke"); }); }));
}

namespace {
Task<void> sleep_with_cleanup(Executor& executor, int* live, CancellationToken token) {
  ++*live;
  const Defer end([live] { --*live; });
  co_await sleep_for(executor, 1ms, token);
  co_await sleep_for(executor, 1ms, token);
}
}  // namespace

TEST_CASE("A coroutine's cleanup runs once wherever the coroutine is cancelled") {
  int live = 0;
  peer::test::cancel_at_each_step([&live](Executor& executor, CancellationToken token) {
    CHECK(live == 0);
    return sleep_with_cleanup(executor, &live, token);
  });
  CHECK(live == 0);
}
