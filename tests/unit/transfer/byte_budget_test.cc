#include "libpeer/transfer/byte_budget.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/transfer/send_buffers.h"
#include "support/run_task.h"

using namespace peer;
using transfer::ByteBudget;

namespace {
runtime::Task<void> take(ByteBudget& budget, std::uint64_t bytes, char name, std::string& order,
                         runtime::CancellationToken token) {
  co_await budget.acquire(bytes, token);
  order += name;
}
runtime::Task<void> finish(runtime::Scope& scope) { co_await scope.join(); }
}  // namespace

TEST_CASE("Who does not fit waits in order, and small requests do not overtake a large one", "[budget]") {
  runtime::ManualExecutor executor;
  ByteBudget budget(100);
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  std::string order;
  scope.spawn("a", take(budget, 80, 'a', order, {}));
  scope.spawn("b", take(budget, 60, 'b', order, {}));
  scope.spawn("c", take(budget, 10, 'c', order, {}));
  executor.run_ready();
  CHECK(order == "a");
  budget.release(80);
  executor.run_ready();
  CHECK(order == "abc");
  CHECK(budget.used() == 70);
  budget.release(70);
  test::run_task(executor, finish(scope));
}

TEST_CASE("A request above the limit fits an unused budget", "[budget]") {
  runtime::ManualExecutor executor;
  ByteBudget budget(100);
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  std::string order;
  scope.spawn("a", take(budget, 1, 'a', order, {}));
  scope.spawn("b", take(budget, 1000, 'b', order, {}));
  executor.run_ready();
  CHECK(order == "a");
  budget.release(1);
  executor.run_ready();
  CHECK(order == "ab");
  budget.release(1000);
  CHECK(budget.used() == 0);
  test::run_task(executor, finish(scope));
}

TEST_CASE("Cancelling the first in the queue lets the next one through", "[budget]") {
  runtime::ManualExecutor executor;
  ByteBudget budget(100);
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  runtime::CancellationSource source(scope.token());
  runtime::Scope inner(scope, "inner", source.token());
  std::string order;
  scope.spawn("a", take(budget, 90, 'a', order, {}));
  executor.run_ready();
  inner.spawn("b", take(budget, 50, 'b', order, source.token()));
  executor.run_ready();
  scope.spawn("c", take(budget, 10, 'c', order, {}));
  executor.run_ready();
  CHECK(order == "a");
  source.request();
  executor.run_ready();
  CHECK(order == "ac");
  CHECK(budget.used() == 100);
  test::run_task(executor, finish(inner));
  test::run_task(executor, finish(scope));
}

namespace {
runtime::Task<void> outlive(net::SharedBytes& kept) {
  transfer::SendBuffers buffers(transfer::SendBuffers::kBatchBytes);
  const runtime::CancellationToken never;
  kept = co_await buffers.take(transfer::SendBuffers::kBatchBytes, never);
  CHECK(buffers.used() == transfer::SendBuffers::kBatchBytes);
}
}  // namespace

TEST_CASE("What was sent may outlive the buffers it came from", "[budget]") {
  runtime::ManualExecutor executor;
  net::SharedBytes kept;
  test::run_task(executor, outlive(kept));
  CHECK(kept->size() == transfer::SendBuffers::kBatchBytes);
  kept.reset();
}
