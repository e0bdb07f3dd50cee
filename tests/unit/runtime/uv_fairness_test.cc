// Tasks that are always ready do not starve timers and I/O.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "libpeer/runtime/event.h"
#include "libpeer/runtime/uv_executor.h"
#include "support/hop.h"
#include "support/run_task.h"

using namespace peer::runtime;
using peer::test::Hop;
using namespace std::chrono_literals;

namespace {

/// Runs for up to `most` resumptions of a millisecond each, or until `*stop`. Counts them in `*taken`.
Task<void> work(UvExecutor& executor, int most, const bool* stop, int* taken) {
  for (; *taken < most && !*stop; ++*taken) {
    const TimePoint end = executor.now() + 1ms;
    while (executor.now() < end) {
    }
    Hop hop;
    co_await hop;
  }
}

}  // namespace

TEST_CASE("A due timer fires even if slow tasks are always ready") {
  peer::test::run_on_uv([](UvExecutor& executor) -> Task<void> {
    constexpr int kMost = 300;
    bool fired = false;
    int taken = 0;
    executor.arm(executor.now() + 1ms, [&fired] { fired = true; });
    co_await work(executor, kMost, &fired, &taken);
    CHECK(fired);
    CHECK(taken < kMost);
  });
}
