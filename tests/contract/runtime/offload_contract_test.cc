// Offloaded jobs and channels, on both loops.
#include <atomic>
#include <catch2/catch_template_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <thread>

#include "contract/runtime/loops.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/offload_abandonable.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/workers.h"

using namespace peer::runtime;
using namespace std::chrono_literals;
using peer::test::OnManual;
using peer::test::OnUv;

namespace {

Task<void> jobs_bring_values(Workers& workers) {
  for (int i = 0; i < 50; ++i) {
    auto job = [i](const StopFlag&) { return std::make_unique<int>(i); };
    const std::unique_ptr<int> value = co_await offload(workers, job, CancellationToken{});
    CHECK(*value == i);
    const std::unique_ptr<int> again = co_await offload_abandonable(workers, job, CancellationToken{});
    CHECK(*again == i);
  }
}

Task<void> job_fails(Workers& workers) {
  auto job = [](const StopFlag&) { throw std::runtime_error("the disk is on fire"); };
  bool failed = false;
  try {
    co_await offload(workers, job, CancellationToken{});
  } catch (const std::runtime_error&) {
    failed = true;
  }
  CHECK(failed);
}

// The job's captures are destroyed before its waiter resumes.
Task<void> job_owns(Workers& workers) {
  auto owned = std::make_shared<int>(1);
  auto job = [owned](const StopFlag&) { return owned.use_count(); };
  const auto during = co_await offload(workers, std::move(job), CancellationToken{});
  CHECK(during >= 2);
  CHECK(owned.use_count() == 1);
}

Task<void> one_job(Workers& workers, std::atomic<bool>* run_on, int* result, CancellationToken token) {
  auto job = [run_on](const StopFlag& stop) {
    run_on->store(true);
    while (!stop.requested()) std::this_thread::yield();
    return 7;
  };
  *result = co_await offload(workers, job, token);
}
// On a thread, a job that has started runs to its end and its result is returned.
Task<void> cancel_begun(Executor& executor, Workers& workers) {
  Scope scope(executor, "scope", CancellationToken{});
  std::atomic<bool> begun = false;
  int result = 0;
  scope.spawn("job", one_job(workers, &begun, &result, scope.token()));
  while (!begun.load()) co_await sleep_for(executor, 100us, CancellationToken{});
  scope.request_stop();
  co_await scope.join();
  CHECK(result == 7);
}

Task<void> cancel_before(Executor& executor, Workers& workers) {
  Scope scope(executor, "scope", CancellationToken{});
  scope.request_stop();
  std::atomic<bool> begun = false;
  int result = 0;
  scope.spawn("job", one_job(workers, &begun, &result, scope.token()));
  co_await scope.join();
  CHECK_FALSE(begun.load());
}

Task<void> receive_from_threads(Executor& executor) {
  constexpr int kThreads = 3;
  constexpr int kEach = 300;
  Channel<std::unique_ptr<int>> channel(executor, 16);
  std::vector<std::thread> threads;
  std::atomic<int> refused = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([sender = channel.sender(), &refused] {
      for (int i = 0; i < kEach; ++i) {
        if (!sender.try_send(std::make_unique<int>(i))) ++refused;
      }
      sender.send_urgent(nullptr);
    });
  }
  int received = 0;
  int ended = 0;
  while (ended < kThreads) {
    const std::optional<std::unique_ptr<int>> value = co_await channel.receive(CancellationToken{});
    if (!value) break;
    ++(*value ? received : ended);
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(received + refused.load() == kThreads * kEach);
}

Task<void> receive_until_closed(Channel<int>& channel, int* sum, CancellationToken token) {
  while (true) {
    const std::optional<int> value = co_await channel.receive(token);
    if (!value) co_return;
    *sum += *value;
  }
}
Task<void> close_channel(Executor& executor) {
  Channel<int> channel(executor, 2);
  const Channel<int>::Sender sender = channel.sender();
  CHECK(sender.try_send(1));
  CHECK(sender.try_send(2));
  CHECK_FALSE(sender.try_send(4));
  CHECK(sender.send_urgent(8));
  sender.close();
  CHECK_FALSE(sender.try_send(16));
  CHECK_FALSE(sender.send_urgent(32));
  int sum = 0;
  co_await receive_until_closed(channel, &sum, CancellationToken{});
  CHECK(sum == 11);
}
Task<void> drop_channel(Executor& executor) {
  auto owned = std::make_shared<int>(1);
  auto channel = std::make_unique<Channel<std::shared_ptr<int>>>(executor, 2);
  const auto sender = channel->sender();
  CHECK(sender.try_send(owned));
  channel.reset();
  CHECK(owned.use_count() == 1);
  CHECK_FALSE(sender.try_send(owned));
  co_return;
}
Task<void> cancel_receive(Executor& executor) {
  Channel<int> channel(executor, 2);
  Scope scope(executor, "scope", CancellationToken{});
  int sum = 0;
  scope.spawn("receiver", receive_until_closed(channel, &sum, scope.token()));
  co_await sleep_for(executor, 1ms, CancellationToken{});
  scope.request_stop();
  co_await scope.join();
  CHECK(channel.sender().try_send(1));
  channel.close();
  co_await receive_until_closed(channel, &sum, CancellationToken{});
  CHECK(sum == 1);
}

}  // namespace

TEMPLATE_TEST_CASE("A job's value comes back", "", OnManual, OnUv) {
  TestType loop;
  loop.run(jobs_bring_values(loop.workers));
}
TEMPLATE_TEST_CASE("A job's failure comes back", "", OnManual, OnUv) {
  TestType loop;
  loop.run(job_fails(loop.workers));
}
TEMPLATE_TEST_CASE("A job's captures are destroyed on the worker", "", OnManual, OnUv) {
  TestType loop;
  loop.run(job_owns(loop.workers));
}
TEST_CASE("A job that has started runs to its end and its result is returned") {
  OnUv loop;
  loop.run(cancel_begun(loop.executor, loop.workers));
}
TEMPLATE_TEST_CASE("A cancelled job that has not started is skipped", "", OnManual, OnUv) {
  TestType loop;
  loop.run(cancel_before(loop.executor, loop.workers));
}
TEST_CASE("A channel receives from many threads") {
  OnUv loop;
  loop.run(receive_from_threads(loop.executor));
}
TEMPLATE_TEST_CASE("A closed channel still delivers its queued values", "", OnManual, OnUv) {
  TestType loop;
  loop.run(close_channel(loop.executor));
}
TEMPLATE_TEST_CASE("A channel destroys its queued values even if senders remain", "", OnManual, OnUv) {
  TestType loop;
  loop.run(drop_channel(loop.executor));
}
TEMPLATE_TEST_CASE("A cancelled receiver loses no value", "", OnManual, OnUv) {
  TestType loop;
  loop.run(cancel_receive(loop.executor));
}
