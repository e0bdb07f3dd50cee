#include "libpeer/runtime/queue.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <vector>

#include "libpeer/runtime/scope.h"
#include "support/run_task.h"

using namespace peer::runtime;
using peer::test::run_sync;
using peer::test::run_task;

namespace {
using Item = std::unique_ptr<int>;

Task<void> produce(Queue<Item>& queue, int count, CancellationToken token) {
  for (int i = 0; i < count; ++i) {
    auto item = std::make_unique<int>(i);
    const bool pushed = co_await queue.push(std::move(item), token);
    CHECK(pushed);
  }
  queue.close();
}
Task<void> consume(Queue<Item>& queue, std::vector<int>* out, CancellationToken token) {
  while (true) {
    const std::optional<Item> item = co_await queue.pop(token);
    if (!item) co_return;
    out->push_back(**item);
  }
}
}  // namespace

TEST_CASE("values come out in order, and a full queue holds its producer back") {
  ManualExecutor executor;
  Queue<Item> queue(2);
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> out;
  scope.spawn("producer", produce(queue, 5, scope.token()));
  executor.run_ready();
  CHECK(queue.size() == 2);
  CHECK_FALSE(queue.try_push(nullptr));
  scope.spawn("consumer", consume(queue, &out, scope.token()));
  run_task(executor, scope.join());
  CHECK(out == std::vector{0, 1, 2, 3, 4});
}

TEST_CASE("a closed queue takes nothing and still gives what is inside") {
  ManualExecutor executor;
  Queue<int> queue(2);
  CHECK(queue.try_push(1));
  queue.close();
  CHECK_FALSE(queue.try_push(2));
  CHECK_FALSE(run_sync(executor, queue.push(3, CancellationToken{})));
  CHECK(run_sync(executor, queue.pop(CancellationToken{})) == 1);
  CHECK(run_sync(executor, queue.pop(CancellationToken{})) == std::nullopt);
}

TEST_CASE("close lets waiting producers and consumers go") {
  ManualExecutor executor;
  Queue<Item> queue(1);
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> out;
  scope.spawn("a", consume(queue, &out, scope.token()));
  scope.spawn("b", consume(queue, &out, scope.token()));
  executor.run_ready();
  queue.close();
  run_task(executor, scope.join());
}

TEST_CASE("a cancelled consumer loses no value") {
  ManualExecutor executor;
  Queue<Item> queue(4);
  Scope scope(executor, "scope", CancellationToken{});
  std::vector<int> out;
  scope.spawn("consumer", consume(queue, &out, scope.token()));
  executor.run_ready();
  CHECK(queue.try_push(std::make_unique<int>(1)));
  scope.request_stop();
  CHECK(queue.try_push(std::make_unique<int>(2)));
  run_task(executor, scope.join());
  CHECK(out.size() + queue.size() == 2);
}
