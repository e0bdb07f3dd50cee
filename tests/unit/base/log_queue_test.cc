#include "libpeer/base/log_queue.h"

#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace peer {
namespace {

using namespace std::chrono_literals;

/// A writer that blocks until open() is called.
struct GatedWriter {
  void write(const LogLine& line) {
    std::unique_lock lock(mutex);
    ++begun;
    changed.notify_all();
    changed.wait(lock, [this] { return is_open; });
    lines.push_back(line.text);
  }
  void open() {
    const std::lock_guard lock(mutex);
    is_open = true;
    changed.notify_all();
  }
  void wait_begun() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return begun > 0; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = false;
  int begun = 0;
  std::vector<std::string> lines;
};

struct LogQueueTest {
  void push(std::string text) { queue.push({LogLevel::info, "test", std::move(text), {}, {}}); }
  /// Returns when the thread blocks in the first line, so that the queue is empty.
  void block() {
    push("first");
    writer->wait_begun();
  }
  std::shared_ptr<GatedWriter> writer = std::make_shared<GatedWriter>();
  LogQueue queue{[w = writer](const LogLine& line) { w->write(line); }};
};

TEST_CASE("Log lines are written in order, and flush() waits for them") {
  LogQueueTest test;
  test.writer->open();
  for (int i = 0; i < 100; ++i) test.push(std::to_string(i));
  REQUIRE(test.queue.flush(60s));
  REQUIRE(test.writer->lines.size() == 100);
  CHECK(test.writer->lines[99] == "99");
}

TEST_CASE("A writer that blocks delays neither push() nor a flush() beyond its limit") {
  LogQueueTest test;
  test.block();
  for (std::size_t i = 0; i < 2 * LogQueue::kMaxLines; ++i) test.push("x");
  CHECK_FALSE(test.queue.flush(1ms));
  test.writer->open();
}

TEST_CASE("Lines beyond the limit are dropped, and their number is written in their place") {
  LogQueueTest test;
  test.block();
  for (std::size_t i = 0; i < LogQueue::kMaxLines; ++i) test.push("kept");
  test.push("one too many");
  test.push("another");
  test.writer->open();
  REQUIRE(test.queue.flush(60s));
  test.push("later");
  REQUIRE(test.queue.flush(60s));
  const auto& lines = test.writer->lines;
  REQUIRE(lines.size() == LogQueue::kMaxLines + 3);
  CHECK(lines[LogQueue::kMaxLines] == "kept");
  CHECK(lines[LogQueue::kMaxLines + 1].starts_with("2 lines were dropped here"));
  CHECK(lines[LogQueue::kMaxLines + 2] == "later");
}

TEST_CASE("Long lines are dropped when they exceed the limit on bytes") {
  LogQueueTest test;
  test.block();
  const std::string half(LogQueue::kMaxBytes / 2 - 1000, 'x');
  test.push(half);
  test.push(half);
  test.push(half);
  test.push("short");
  test.writer->open();
  REQUIRE(test.queue.flush(60s));
  const auto& lines = test.writer->lines;
  REQUIRE(lines.size() == 5);
  CHECK(lines[3].starts_with("1 line was dropped here"));
  CHECK(lines[4] == "short");
}

}  // namespace
}  // namespace peer
