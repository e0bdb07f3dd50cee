// The watcher collects events for 20 ms, so that the library does not scan after every single write.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "libpeer/library/inotify_watcher.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

namespace peer::library {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kTimes = 10;
constexpr runtime::Duration kMinInterval = 15ms;  // the watcher's 20 ms, minus the resolution of the loop's clock

runtime::Task<void> write_repeatedly(runtime::UvExecutor& executor) {
  const test::TempDirectory directory;
  const auto watcher = inotify_watcher(executor, Log());
  CHECK(watcher->walk({directory.path(), "g"})->enter(directory.path()));
  std::vector<runtime::TimePoint> reported;
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  scope.spawn("watch", watcher->run([&](const WatchSubject&) { reported.push_back(executor.now()); }, scope.token()));
  for (std::size_t i = 0; i < kTimes; ++i) {
    std::ofstream(directory / "f") << i;
    for (int tries = 0; tries < 30'000 && reported.size() <= i; ++tries)
      co_await runtime::sleep_for(executor, 1ms, runtime::CancellationToken());
    if (reported.size() <= i) break;
  }
  CHECK(reported.size() >= kTimes);
  for (std::size_t i = 1; i < reported.size(); ++i) CHECK(reported[i] - reported[i - 1] >= kMinInterval);
  scope.request_stop();
  co_await scope.join();
}

}  // namespace

TEST_CASE("inotify: repeated writes are reported at most every 20 ms") { test::run_on_uv(write_repeatedly); }

}  // namespace peer::library
