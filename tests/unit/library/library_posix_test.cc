// The library on a real disk, with real threads and a real loop.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "libpeer/library/library.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/thread_workers.h"
#include "support/run_task.h"
#include "support/store/temp_directory.h"

namespace peer::library {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  std::uint64_t bytes_read = 0;
  std::shared_ptr<const Snapshot> snapshot;
};

runtime::Task<void> live_once(runtime::UvExecutor& executor, std::string games, std::string database,
                              Outcome* outcome) {
  const auto disk = store::posix_disk();
  const auto store = *store::open_sqlite_store(database, Log());
  runtime::ThreadWorkers workers("test-work", 4);
  runtime::ThreadWorkers store_thread("test-store", 1);
  LibraryOptions options;
  options.roots = {std::move(games)};
  // One hour ahead, so that all files are at rest.
  options.wall_clock = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
               .count() +
           3600 * 1'000'000'000L;
  };
  runtime::Scope scope(executor, "test", runtime::CancellationToken());
  {
    Library library(scope, *disk, workers, *store, store_thread, options, Log());
    scope.spawn("LocalMonitor", library.run(scope.token()));
    // This also waits for the scans that the service has started.
    const Result<void> scanned = co_await library.rescan(std::nullopt, scope.token());
    CHECK(scanned);
    outcome->bytes_read = library.bytes_read();
    outcome->snapshot = library.snapshot();
    scope.request_stop();
    co_await scope.join();
  }
}

Outcome live(const std::string& games, const std::string& database) {
  Outcome outcome;
  test::run_on_uv([&](runtime::UvExecutor& executor) { return live_once(executor, games, database, &outcome); });
  return outcome;
}

}  // namespace

TEST_CASE("library: 20,000 real files are read by the first start, and not by the second") {
  const test::TempDirectory directory;
  std::uint64_t bytes = 0;
  for (int game = 0; game < 4; ++game) {
    for (int folder = 0; folder < 50; ++folder) {
      const std::string path = directory / ("games/game" + std::to_string(game) + "/folder" + std::to_string(folder));
      std::filesystem::create_directories(path);
      for (int file = 0; file < 100; ++file) {
        const std::string content = std::to_string(game * 1'000'000 + folder * 1000 + file);
        std::ofstream(path + "/a-file-with-a-longer-name-" + std::to_string(file) + ".dat") << content;
        bytes += content.size();
      }
    }
  }
  const std::string database = directory / "state.db";
  const Outcome first = live(directory / "games", database);
  CHECK(first.bytes_read == bytes);
  const Outcome second = live(directory / "games", database);
  CHECK(second.bytes_read == 0);
  REQUIRE(second.snapshot->games.size() == 4);
  for (const auto& game : second.snapshot->games) {
    CHECK(game->state == GameState::ready);
    CHECK(game->files == 5000);
  }
  CHECK(second.snapshot->digest == first.snapshot->digest);
}

TEST_CASE("library: real symlinks are followed as far as they are allowed, and a FIFO is left out") {
  const test::TempDirectory directory;
  const std::filesystem::path game = directory / "games/g";
  std::filesystem::create_directories(game / "d");
  std::ofstream(game / "d/f") << "content";
  std::filesystem::create_symlink("d/f", game / "inside");
  std::filesystem::create_symlink("/etc/passwd", game / "absolute");
  REQUIRE(::mkfifo((game / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_directory_symlink(game, directory / "games/linked");
  const Outcome outcome = live(directory / "games", directory / "state.db");
  const LocalGame* found = outcome.snapshot->find("g");
  REQUIRE(found != nullptr);
  REQUIRE(found->state == GameState::ready);
  CHECK(found->offered->document->manifest.files.size() == 1);
  CHECK(found->offered->document->manifest.symlinks.size() == 1);
  CHECK(found->problems.size() == 2);
  REQUIRE(outcome.snapshot->find("linked") != nullptr);
  CHECK(outcome.snapshot->find("linked")->offered->version == found->offered->version);
}

}  // namespace peer::library
