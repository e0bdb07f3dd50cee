// Rescans that are cancelled, and scans of a failing disk.
#include <algorithm>
#include <cerrno>

#include "fixture.h"
#include "libpeer/library/scan.h"

namespace peer::library {
namespace {

struct Rescan {
  bool ended = false;
  bool cancelled = false;
};

runtime::Task<void> rescan(Library& library, Rescan& out, runtime::CancellationToken token) {
  try {
    static_cast<void>(co_await library.rescan(std::nullopt, token));
  } catch (const runtime::Cancelled&) {
    out.cancelled = true;
  }
  out.ended = true;
}

/// Whether a scan of the rescan is running.
bool rescanning(const runtime::Scope& scope) {
  bool found = false;
  scope.visit([&](const std::string&, const std::string& name) { found = found || name == "rescan"; });
  return found;
}

runtime::Task<Result<ScannedGame>> scan_on_worker(test::MemoryDisk& disk, runtime::Workers& workers,
                                                  runtime::CancellationToken token) {
  const auto job = [&disk](const runtime::StopFlag& stop) -> Result<ScannedGame> {
    const auto root = disk.open("/r", false, false);
    return scan_game(**root, "game", kToday, nullptr, nullptr, stop);
  };
  co_return co_await runtime::offload(workers, job, token);
}

}  // namespace

TEST_CASE("library: a rescan that is cancelled while it scans does not report success") {
  std::size_t cancelled = 0;
  for (std::size_t steps = 0;; ++steps) {
    Machine machine;
    machine.disk.write("/games/a/f", std::string(10'000, 'a'));
    machine.disk.write("/games/b/f", "b");
    Life life(machine);
    life.start_and_run(1s);
    runtime::CancellationSource stop(life.scope.token());
    Rescan result;
    life.scope.spawn("the rescan", rescan(*life.library, result, stop.token()));
    bool was_scanning = false;
    for (std::size_t i = 0; i < steps && !result.ended; ++i) {
      if (!machine.executor.step()) REQUIRE(machine.executor.advance_to_next_timer());
    }
    if (result.ended) break;
    was_scanning = rescanning(life.scope);
    stop.request();
    machine.executor.advance(1s);
    REQUIRE(result.ended);
    if (was_scanning) {
      INFO("cancelled after step " << steps);
      CHECK(result.cancelled);
      ++cancelled;
    }
  }
  CHECK(cancelled > 0);
}

TEST_CASE("scan: a stopped scan fails with cancelled and returns no partial game") {
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers(executor, 1, 1ms);
  test::MemoryDisk disk;
  disk.write("/r/game/a/f", "a");
  disk.write("/r/game/b/f", "b");
  runtime::CancellationSource stop;
  std::vector<std::string> listed;
  disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "list") listed.push_back(path);
    if (operation == "list" && path == "/r/game/a") stop.request();
    return 0;
  });
  const auto scanned = test::run_task(executor, scan_on_worker(disk, workers, stop.token()));
  REQUIRE_FALSE(scanned.has_value());
  CHECK(scanned.error().code == ErrorCode::cancelled);
  CHECK(listed == std::vector<std::string>{"/r/game", "/r/game/a"});
}

TEST_CASE("library: a file that is written while it is hashed is never offered as a mix of old and new content") {
  const std::string before(3 * protocol::kChunkSize, 'a');
  const std::string after(3 * protocol::kChunkSize, 'b');
  std::vector<Digest> versions;
  for (const std::string& text : {before, after}) {
    Machine machine;
    machine.disk.write("/games/a/f", text);
    Life life(machine);
    life.start_and_run(5s);
    versions.push_back(life.version("a"));
  }
  Machine machine;
  machine.disk.write("/games/a/f", before);
  machine.live();
  int reads = 0;
  machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "read_at" && path == "/games/a/f" && ++reads == 3) machine.disk.write("/games/a/f", after);
    return 0;
  });
  Life life(machine);
  life.start();
  for (int i = 0; i < 100; ++i) {
    machine.executor.advance(100ms);
    const auto game = life.game("a");
    if (game && game->offered) CHECK(std::ranges::find(versions, game->offered->version) != versions.end());
  }
  CHECK(reads >= 3);
  machine.executor.advance(10min);
  CHECK(life.version("a") == versions[1]);
}

TEST_CASE("scan: a root that cannot be listed is reported with the error") {
  test::MemoryDisk disk;
  disk.write("/r/a/f", "a");
  disk.write("/s/b/f", "b");
  disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "list" && path == "/r" ? EIO : 0;
  });
  const FoundGames found = find_games(disk, {"/r", "/s"}, nullptr);
  REQUIRE(found.failures.size() == 1);
  CHECK(found.failures[0].root == "/r");
  CHECK(found.failures[0].error.system == EIO);
  CHECK_FALSE(found.failures[0].missing());
  REQUIRE(found.games.size() == 1);
  CHECK(found.games[0].name == "b");
}

}  // namespace peer::library
