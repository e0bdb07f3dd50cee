#include "libpeer/transfer/rate_limit.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <deque>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "support/run_task.h"

namespace peer::transfer {
namespace {

using namespace std::chrono_literals;

struct Flow {
  std::uint64_t passed = 0;
};

runtime::Task<void> flow(RateLimit& limit, Flow& flow, std::uint64_t most, runtime::CancellationToken token) {
  for (;;) {
    const std::uint64_t piece = limit.piece(most);
    co_await limit.pass(piece, token);
    flow.passed += piece;
  }
}

struct Scene {
  explicit Scene(std::size_t count) : flows(count) {}
  ~Scene() {
    stop.request();
    test::run_sync(executor, scope.join());
  }
  void start(std::uint64_t most = 128 << 10) {
    for (Flow& each : flows) scope.spawn("flow", flow(limit, each, most, scope.token()));
  }
  std::uint64_t passed() const {
    std::uint64_t sum = 0;
    for (const Flow& each : flows) sum += each.passed;
    return sum;
  }
  /// Bytes that pass in `time`, advanced in steps as coarse as a loop's timers.
  std::uint64_t during(runtime::Duration time) {
    const std::uint64_t before = passed();
    for (runtime::Duration gone{}; gone < time; gone += 1ms) executor.advance(1ms);
    return passed() - before;
  }

  runtime::ManualExecutor executor;
  runtime::CancellationSource stop;
  runtime::Scope scope{executor, "flows", stop.token()};
  RateLimit limit{executor};
  std::deque<Flow> flows;
};

bool about(std::uint64_t value, std::uint64_t expected, double tolerance) {
  const double share = static_cast<double>(value) / static_cast<double>(expected);
  return share > 1 - tolerance && share < 1 + tolerance;
}

}  // namespace

TEST_CASE("rate limit: any number of flows together pass the configured rate") {
  const std::uint64_t rate = GENERATE(100, 10'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000);
  const std::size_t count = GENERATE(1, 4, 40);
  Scene scene(count);
  scene.limit.set(rate);
  scene.start();
  scene.during(1s);
  const double tolerance = rate < 10'000 ? 1.5 : 0.02;  // a batch is never smaller than a packet
  for (int window = 0; window < 3; ++window) CHECK(about(scene.during(10s), rate * 10, tolerance));
  CHECK(scene.limit.binding(scene.executor.now()));
}

TEST_CASE("rate limit: there is no burst, even after a pause, and flows get equal shares") {
  Scene scene(4);
  scene.limit.set(10'000'000);
  scene.executor.advance(1min);
  scene.start();
  scene.executor.run_ready();
  std::uint64_t before = scene.passed();
  CHECK(before <= 600'000);
  for (int i = 0; i < 200; ++i) {
    CHECK(scene.during(50ms) <= 1'100'000);
  }
  for (const Flow& each : scene.flows) CHECK(about(each.passed, scene.passed() / 4, 0.05));
}

TEST_CASE("rate limit: a change of the rate applies at once") {
  Scene scene(4);
  scene.limit.set(1'000);
  scene.start();
  scene.during(5s);
  scene.limit.set(100'000'000);
  CHECK(about(scene.during(1s), 100'000'000, 0.05));
  scene.limit.set(1'000'000);
  CHECK(about(scene.during(10s), 10'000'000, 0.05));
  scene.limit.set(50'000);
  CHECK(about(scene.during(10s), 500'000, 0.05));
}

TEST_CASE("rate limit: a rate of 0 is no limit and releases waiting callers") {
  Scene scene(1);
  CHECK(scene.limit.piece(1 << 20) == 1 << 20);
  CHECK_FALSE(scene.limit.binding(scene.executor.now()));
  bool passed = false;
  auto once = [](RateLimit& limit, bool& done, runtime::CancellationToken token) -> runtime::Task<void> {
    co_await limit.pass(1 << 30, token);
    done = true;
  };
  scene.scope.spawn("free", once(scene.limit, passed, scene.scope.token()));
  scene.executor.run_ready();
  CHECK(passed);
  passed = false;
  scene.limit.set(1000);
  scene.scope.spawn("bound", once(scene.limit, passed, scene.scope.token()));
  scene.executor.advance(1min);
  CHECK_FALSE(passed);
  scene.limit.set(0);
  scene.executor.run_ready();
  CHECK(passed);
}

TEST_CASE("rate limit: a cancelled caller does not hold up the next one") {
  Scene scene(1);
  scene.limit.set(1'000'000);
  runtime::CancellationSource stop;
  runtime::Scope gone(scene.executor, "gone", stop.token());
  Flow cancelled;
  gone.spawn("flow", flow(scene.limit, cancelled, 1 << 20, gone.token()));
  scene.executor.advance(1s);
  scene.start();
  scene.executor.advance(1s);
  stop.request();
  test::run_sync(scene.executor, gone.join());
  CHECK(about(scene.during(10s), 10'000'000, 0.02));
}

}  // namespace peer::transfer
