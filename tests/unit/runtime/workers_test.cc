#include "runtime/workers.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "runtime/channel.h"
#include "runtime/manual_executor.h"
#include "runtime/offload_abandonable.h"
#include "runtime/queue.h"
#include "runtime/sleep.h"
#include "support/run_task.h"

using namespace peer::rt;
using namespace std::chrono_literals;

namespace {
Task<void> both(Workers& workers) {
  auto job = [](const StopFlag&) { return std::make_unique<int>(7); };
  auto value = co_await offload(workers, job, CancellationToken{});
  CHECK(*value == 7);
  auto again = co_await offload_abandonable(workers, job, CancellationToken{});
  CHECK(*again == 7);
  auto nothing = [](const StopFlag&) {};
  co_await offload(workers, nothing, CancellationToken{});
  co_await offload_abandonable(workers, nothing, CancellationToken{});
}
}  // namespace

TEST_CASE("a job's value comes back") {
  ManualExecutor executor;
  ManualWorkers workers(executor, 1, 1ms);
  peer::test::run_task(executor, both(workers));
}
