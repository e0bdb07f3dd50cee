// The watcher gathers the kernel's events: one that is told at once would make the library look at each single write.
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
constexpr runtime::Duration kLeast = 15ms;  // the watcher's 20 ms, less the grain of the loop's clock

runtime::Task<void> write_on_and_on(runtime::UvExecutor& executor) {
  const test::TempDirectory directory;
  const auto watcher = inotify_watcher(executor, Log());
  CHECK(watcher->walk({directory.path(), "g"})->enter(directory.path()));
  std::vector<runtime::TimePoint> told;
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  scope.spawn("watch", watcher->run([&](const Subject&) { told.push_back(executor.now()); }, scope.token()));
  for (std::size_t i = 0; i < kTimes; ++i) {
    std::ofstream(directory / "f") << i;
    for (int tries = 0; tries < 30'000 && told.size() <= i; ++tries)
      co_await runtime::sleep_for(executor, 1ms, runtime::CancellationToken());
    if (told.size() <= i) break;
  }
  CHECK(told.size() >= kTimes);
  for (std::size_t i = 1; i < told.size(); ++i) CHECK(told[i] - told[i - 1] >= kLeast);
  scope.request_stop();
  co_await scope.join();
}

}  // namespace

TEST_CASE("inotify: what is written on and on is told a few times a second, not at each write") {
  test::run_on_uv(write_on_and_on);
}

}  // namespace peer::library
