#include "libpeer/runtime/thread_workers.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <latch>
#include <mutex>
#include <vector>

using namespace peer::runtime;

TEST_CASE("The destructor runs queued jobs, including those that jobs submit meanwhile") {
  std::atomic<int> count = 0;
  {
    ThreadWorkers workers("a name longer than fifteen bytes", 3);
    for (int i = 0; i < 100; ++i) {
      workers.submit([&count, &workers] {
        ++count;
        workers.submit([&count] { ++count; });
      });
    }
  }
  CHECK(count == 200);
}

TEST_CASE("One worker keeps the order of submission") {
  std::vector<int> order;
  {
    ThreadWorkers workers("one", 1);
    for (int i = 0; i < 50; ++i) workers.submit([&order, i] { order.push_back(i); });
  }
  REQUIRE(order.size() == 50);
  for (int i = 0; i < 50; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("Workers run in parallel") {
  std::latch all(3);
  ThreadWorkers workers("three", 3);
  for (int i = 0; i < 3; ++i) workers.submit([&all] { all.arrive_and_wait(); });
  all.wait();
}
