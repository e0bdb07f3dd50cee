#include "daemon/service/heartbeat.h"

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/thread_workers.h"

namespace peer::daemon {
namespace {

using namespace std::chrono_literals;

/// Workers without threads: each is either idle or hangs in a job that never ends.
struct FakeWorkers final : runtime::Workers {
  void submit(Job job) override { jobs.push_back(std::move(job)); }
  /// Runs all queued jobs, unless every worker hangs.
  void run() {
    if (hung >= threads) return;
    for (; !jobs.empty(); ++done) {
      Job job = std::move(jobs.front());
      jobs.pop_front();
      job();
    }
  }
  int threads = 4;
  int hung = 0;
  std::uint64_t done = 0;
  std::deque<Job> jobs;
};

struct HeartbeatTest {
  HeartbeatTest() {
    HeartbeatOptions options;
    options.limit = 30s;
    options.workers = &workers;
    options.jobs_done = [this] { return workers.done; };
    options.loops = {{"net", &net}, {"net 2", &net2}};
    options.beat = [this] { ++beats; };
    options.log =
        Log([this](LogLevel, std::string_view, const std::string& line, const LogFields&) { lines.push_back(line); },
            "test");
    scope.spawn("heartbeat", run_heartbeat(executor, std::move(options), scope.token()));
    executor.run_ready();  // the first beat
  }
  ~HeartbeatTest() {
    scope.request_stop();
    executor.run_ready();
  }
  /// The number of beats during `time`.
  int beats_in(runtime::Duration time) {
    beats = 0;
    for (const runtime::TimePoint end = executor.now() + time; executor.now() < end;) {
      workers.run();
      if (!net_hangs) net.run_ready();
      net2.run_ready();
      executor.advance(500ms);
    }
    return beats;
  }

  runtime::ManualExecutor executor;
  runtime::ManualExecutor net;
  runtime::ManualExecutor net2;
  bool net_hangs = false;
  runtime::Scope scope{executor, "test", runtime::CancellationToken{}};
  FakeWorkers workers;
  int beats = 0;
  std::vector<std::string> lines;
};

TEST_CASE("A healthy daemon sends four heartbeats for each limit") {
  HeartbeatTest test;
  CHECK(test.beats_in(300s) == 40);
  CHECK(test.workers.jobs.size() <= 1);
}

TEST_CASE("A loop that hangs sends no heartbeat, and sends one when it runs again") {
  HeartbeatTest test;
  test.beats_in(30s);
  test.net.run_ready();
  test.net2.run_ready();
  test.beats = 0;
  REQUIRE(test.executor.advance_to_next_timer());  // the timer is due, but the loop does not run
  CHECK(test.beats == 0);
  test.executor.run_ready();
  CHECK(test.beats == 1);
}

TEST_CASE("When a net loop hangs, the heartbeat stops, and this is logged once") {
  HeartbeatTest test;
  test.beats_in(60s);
  test.net_hangs = true;
  CHECK(test.beats_in(600s) <= 1);  // the probe before may have been answered
  REQUIRE(test.lines.size() == 1);
  CHECK(test.lines[0].starts_with("the net loop does not run"));
  test.net_hangs = false;
  test.net.run_ready();  // one probe waits at most
  CHECK(test.beats_in(60s) == 8);
  CHECK(test.lines.size() == 1);
}

TEST_CASE("When all workers hang, the heartbeat stops after four limits, and this is logged once") {
  HeartbeatTest test;
  test.beats_in(60s);
  test.workers.hung = 4;
  CHECK(test.beats_in(120s) == 16);
  CHECK(test.lines.empty());
  CHECK(test.beats_in(600s) <= 1);
  REQUIRE(test.lines.size() == 1);
  CHECK(test.lines[0].find("no disk worker") != std::string::npos);
  CHECK(test.workers.jobs.size() <= 1);  // probes do not pile up
  test.workers.hung = 0;
  CHECK(test.beats_in(60s) == 8);
}

TEST_CASE("Heartbeats continue while at least one worker works") {
  HeartbeatTest test;
  test.workers.hung = 3;
  CHECK(test.beats_in(600s) == 80);
}

TEST_CASE("Heartbeats continue while all workers are busy but complete jobs") {
  HeartbeatTest test;
  test.workers.hung = 4;  // queued jobs do not run
  int beats = 0;
  for (int i = 0; i < 10; ++i) {
    beats += test.beats_in(60s);
    ++test.workers.done;  // one long job ends each minute
  }
  CHECK(beats == 80);
}

TEST_CASE("Real workers count the jobs that they have completed") {
  runtime::ThreadWorkers workers("test", 2);
  std::mutex mutex;
  std::condition_variable changed;
  bool ran = false;
  workers.submit([&] {
    const std::lock_guard lock(mutex);
    ran = true;
    changed.notify_one();
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ran; });
  }
  while (workers.done() < 1) std::this_thread::yield();
  CHECK(workers.done() == 1);
}

}  // namespace
}  // namespace peer::daemon
