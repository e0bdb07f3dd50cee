#include "libpeer/runtime/offload_abandonable.h"

#include <catch2/catch_test_macros.hpp>
#include <latch>
#include <memory>
#include <stdexcept>

#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/thread_workers.h"
#include "support/run_task.h"

using namespace peer::runtime;
using namespace std::chrono_literals;

namespace {

struct Hung {
  std::latch begun{1};
  std::latch let_go{1};
};

Task<void> wait_for_hung(Workers& workers, std::shared_ptr<Hung> hung, bool* cancelled, CancellationToken token) {
  auto job = [hung](const StopFlag&) {
    hung->begun.count_down();
    hung->let_go.wait();
    return std::make_unique<int>(1);
  };
  try {
    co_await offload_abandonable(workers, job, token);
  } catch (const Cancelled&) {
    *cancelled = true;
  }
}
Task<void> abandon(UvExecutor& executor, Workers& workers, std::shared_ptr<Hung> hung, bool* cancelled) {
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("look-up", wait_for_hung(workers, hung, cancelled, scope.token()));
  auto begun = [hung](const StopFlag&) { hung->begun.wait(); };
  co_await offload_abandonable(workers, begun, CancellationToken{});
  scope.request_stop();
  co_await scope.join();
}
Task<int> value_of(Workers& workers) {
  auto job = [](const StopFlag&) { return 7; };
  co_return co_await offload_abandonable(workers, job, CancellationToken{});
}
Task<void> failing(Workers& workers) {
  auto job = [](const StopFlag&) { throw std::runtime_error("failed"); };
  co_await offload_abandonable(workers, job, CancellationToken{});
}

}  // namespace

TEST_CASE("A hung job is abandoned at once and may end after its loop") {
  auto hung = std::make_shared<Hung>();
  {
    ThreadWorkers workers("hung", 2);
    bool cancelled = false;
    peer::test::run_on_uv([&](UvExecutor& executor) { return abandon(executor, workers, hung, &cancelled); });
    CHECK(cancelled);
    hung->let_go.count_down();
  }
  CHECK(hung.use_count() == 1);
}

TEST_CASE("An abandonable job's value or failure comes back") {
  ManualExecutor executor;
  ManualWorkers workers(executor, 1, 1ms);
  CHECK(peer::test::run_task(executor, value_of(workers)) == 7);
  CHECK_THROWS_AS(peer::test::run_task(executor, failing(workers)), std::runtime_error);
}

TEST_CASE("A job cancelled before it started is skipped") {
  ManualExecutor executor;
  ManualWorkers workers(executor, 1, 1s);
  auto hung = std::make_shared<Hung>();  // the job would never end
  bool cancelled = false;
  Scope scope(executor, "scope", CancellationToken{});
  scope.spawn("job", wait_for_hung(workers, hung, &cancelled, scope.token()));
  executor.run_ready();
  scope.request_stop();
  executor.run_ready();
  CHECK(cancelled);
  CHECK(scope.empty());
  executor.advance(1s);
  CHECK(hung.use_count() == 1);
}
