#include "libpeer/sessions/credits.h"

#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {
runtime::Task<void> acquire_into(sessions::CreditPool& pool, std::vector<sessions::Credit>& held,
                                 runtime::CancellationToken token) {
  held.push_back(co_await pool.acquire(std::move(token)));
}

struct Waiters {
  runtime::ManualExecutor executor;
  runtime::CancellationSource stop;
  runtime::Scope scope{executor, "waiters", stop.token()};
  std::vector<sessions::Credit> held;

  void spawn(sessions::CreditPool& pool) {
    scope.spawn("acquire", acquire_into(pool, held, scope.token()));
    executor.run_ready();
  }
  ~Waiters() {
    stop.request();
    run_sync(executor, scope.join());
  }
};
}  // namespace

TEST_CASE("A credit that is destroyed wakes one sender that waits for it") {
  Waiters waiters;
  sessions::CreditPool pool(waiters.executor, 2);
  for (int i = 0; i < 4; ++i) waiters.spawn(pool);
  CHECK(waiters.held.size() == 2);
  CHECK_FALSE(pool.try_acquire().has_value());
  waiters.held.erase(waiters.held.begin());
  waiters.executor.run_ready();
  CHECK(waiters.held.size() == 2);
  waiters.held.clear();
  waiters.executor.run_ready();
  CHECK(waiters.held.size() == 1);
  CHECK(pool.try_acquire().has_value());
}

TEST_CASE("A sender that waits for a credit can be cancelled") {
  Waiters waiters;
  sessions::CreditPool pool(waiters.executor, 1);
  const std::optional<sessions::Credit> taken = pool.try_acquire();
  REQUIRE(taken.has_value());
  waiters.spawn(pool);
  CHECK(waiters.held.empty());
  waiters.stop.request();
  waiters.executor.run_ready();
  CHECK(waiters.scope.empty());
}

TEST_CASE("A credit that replaces another gives the other back") {
  runtime::ManualExecutor executor;
  sessions::CreditPool pool(executor, 2);
  sessions::Credit one = std::move(*pool.try_acquire());
  sessions::Credit two = std::move(*pool.try_acquire());
  one = std::move(two);
  CHECK(pool.try_acquire().has_value());
  one = sessions::Credit();
  CHECK(pool.try_acquire().has_value());
}

TEST_CASE("A credit may outlive its pool") {
  runtime::ManualExecutor executor;
  std::optional<sessions::Credit> credit;
  {
    sessions::CreditPool pool(executor, 1);
    credit = pool.try_acquire();
  }
  credit.reset();
  CHECK_FALSE(executor.step());
}

namespace {
constexpr std::size_t kItems = 20'000;

/// Sends kItems credits to another thread, at most 3 at a time.
runtime::Task<void> send_all(runtime::Executor& executor, runtime::CancellationToken token) {
  runtime::Channel<sessions::Credit> channel(executor, kItems);
  sessions::CreditPool pool(executor, 3);
  std::atomic<std::size_t> sent = 0;
  std::thread receiver([&] {
    for (std::size_t received = 0; received < kItems;) {
      while (auto credit = channel.try_receive()) ++received;
      std::this_thread::yield();
    }
  });
  while (sent < kItems) {
    sessions::Credit credit = co_await pool.acquire(token);
    static_cast<void>(channel.sender().try_send(std::move(credit)));
    ++sent;
  }
  receiver.join();
}
}  // namespace

TEST_CASE("No wake-up is lost when credits come back from another thread") {
  run_on_uv([](runtime::UvExecutor& executor) { return send_all(executor, runtime::CancellationToken()); });
}
