// Not a test: measures a start with 20,000 cached files. Run it alone, in a release build: unit_library "[measure]".
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "libpeer/library/inotify_watcher.h"
#include "libpeer/library/library.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/thread_workers.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

namespace peer::library {
namespace {

constexpr int kGames = 20;
constexpr int kFolders = 100;
constexpr int kFiles = 10;

std::int64_t later() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
             .count() +
         3600 * 1'000'000'000L;
}

runtime::Task<void> start(runtime::UvExecutor& executor, std::string games, std::string database, bool watched) {
  const auto disk = store::posix_disk();
  const auto store = *store::open_sqlite_store(database, Log());
  runtime::ThreadWorkers workers("measure-work", 4);
  runtime::ThreadWorkers store_thread("measure-store", 1);
  const auto watcher = inotify_watcher(executor, Log());
  LibraryOptions options;
  options.roots = {std::move(games)};
  options.wall_clock = later;
  if (watched) options.watcher = watcher.get();
  runtime::Scope scope(executor, "measure", runtime::CancellationToken());
  Library library(scope, *disk, workers, *store, store_thread, options, Log());
  runtime::Event ready;
  library.on_change([&](bool) {
    if (library.snapshot()->summaries().size() == kGames) ready.set();
  });
  const auto begun = runtime::Clock::now();
  scope.spawn("LocalMonitor", library.run(scope.token()));
  co_await ready.wait(runtime::CancellationToken());
  const auto took = runtime::Clock::now() - begun;
  std::printf("%d files, %s: ready after %lld ms, %llu bytes read\n", kGames * kFolders * kFiles,
              watched ? "watched" : "not watched",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()),
              static_cast<unsigned long long>(library.bytes_read()));
  scope.request_stop();
  co_await scope.join();
}

}  // namespace

TEST_CASE("library: duration of a start with 20,000 cached files", "[.][measure]") {
  const test::TempDirectory directory;
  for (int game = 0; game < kGames; ++game) {
    for (int folder = 0; folder < kFolders; ++folder) {
      const std::string path = directory / ("games/game" + std::to_string(game) + "/folder" + std::to_string(folder));
      std::filesystem::create_directories(path);
      for (int file = 0; file < kFiles; ++file) {
        std::ofstream(path + "/a-file-with-a-longer-name-" + std::to_string(file) + ".dat") << game << folder << file;
      }
    }
  }
  for (const bool watched : {true, false, true, false, true}) {
    test::run_on_uv(
        [&](runtime::UvExecutor& executor) { return start(executor, directory / "games", directory / "db", watched); });
  }
}

}  // namespace peer::library
