#include "libpeer/runtime/run_on.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <thread>

#include "libpeer/runtime/loop_thread.h"
#include "support/cancel_sweep.h"

using namespace peer::runtime;

namespace {

/// Records the thread that destroys it.
struct Witness {
  explicit Witness(std::thread::id* destroyed_on) : thread(destroyed_on) {}
  Witness(Witness&& other) noexcept : thread(std::exchange(other.thread, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (thread != nullptr) *thread = std::this_thread::get_id();
  }
  std::thread::id* thread;
};

Task<void> ask(Executor& there, std::thread::id* ran_on, std::thread::id* destroyed_on) {
  auto fn = [ran_on, witness = Witness(destroyed_on)] {
    *ran_on = std::this_thread::get_id();
    return std::make_unique<int>(42);
  };
  const std::unique_ptr<int> value = co_await run_on(there, std::move(fn));
  CHECK(*value == 42);
  CHECK(*destroyed_on == *ran_on);
}

Task<void> throw_there(Executor& there) {
  const auto fn = [] { throw std::runtime_error("over there"); };
  co_await run_on(there, fn);
}

Task<void> count_twice(Executor& there, int* count) {
  const auto fn = [count] { ++*count; };
  co_await run_on(there, fn);
  co_await run_on(there, fn);
}

}  // namespace

TEST_CASE("A function runs on the other loop, ends there, and its value comes back") {
  LoopThread there("there");
  std::thread::id ran_on;
  std::thread::id destroyed_on;
  peer::test::run_on_uv(ask(there.executor(), &ran_on, &destroyed_on));
  CHECK(ran_on != std::this_thread::get_id());
  there.stop();
}

TEST_CASE("A function's exception reaches the caller and leaves the other loop running") {
  LoopThread there("there");
  CHECK_THROWS_AS(peer::test::run_on_uv(throw_there(there.executor())), std::runtime_error);
  int count = 0;
  peer::test::run_on_uv(count_twice(there.executor(), &count));
  CHECK(count == 2);
  there.stop();
}

TEST_CASE("Running on a closed loop is Cancelled") {
  LoopThread there("there");
  there.stop();
  int count = 0;
  CHECK_THROWS_AS(peer::test::run_on_uv(count_twice(there.executor(), &count)), Cancelled);
  CHECK(count == 0);
}

TEST_CASE("A function may run on the caller's own loop, and a cancelled caller still gets its result") {
  int count = 0;
  peer::test::cancel_at_each_step([&count](Executor& executor, const CancellationToken&) {
    count = 0;
    return count_twice(executor, &count);
  });
  CHECK(count == 2);
}
