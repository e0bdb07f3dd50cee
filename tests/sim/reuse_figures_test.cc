// The figures of an update that reuses data: a pause, a restart, a crash or a full disk changes neither what was reused
// nor what was received.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using api::DownloadState;

namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kOldBytes = 12 * kMiB;
constexpr std::size_t kNewBytes = 30 * kMiB;

/// A leech with an installed game, and a seed with a newer version of it that has one more file.
struct Update {
  Update() {
    world.network.set_conditions(slow_link());
    const std::string old = content(1, kOldBytes);
    leech.disk.write("/library/game/old.pak", old);
    seed.disk.write("/library/game/old.pak", old);
    seed.disk.write("/library/game/new.pak", content(2, kNewBytes));
    world.executor.advance(1min);
    seed.disk.set_mtime("/library/game/new.pak", world.wall_clock());
    seed.start({});
    leech.start(knowing(seed.address));
    REQUIRE(world.run_until(
        [&] {
          const auto games = leech.ask(api::ListGames{}).value();
          return games.size() == 1 && games[0].remote.size() == 1 && games[0].local != nullptr &&
                 games[0].local->state == library::GameState::ready;
        },
        30s));
    REQUIRE(leech.ask(download_of("game")).has_value());
    REQUIRE(world.run_until([&] { return download().bytes_received >= 3'000'000; }, 1min));
    world.executor.advance(1500ms);  // the store is at most that far behind
  }
  api::DownloadInfo download() {
    const auto all = leech.ask(api::ListDownloads{}).value();
    return all.empty() ? api::DownloadInfo{} : all[0];
  }
  bool reaches(DownloadState state) {
    return world.run_until([&] { return download().state == state; }, 1min);
  }
  template <class C>
  void command() {
    C each;
    each.game = "game";
    REQUIRE(leech.ask(each).has_value());
  }

  SimWorld world{71};
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.2"};
};

}  // namespace

TEST_CASE("reuse: interruptions change neither the reused nor the received bytes of an update") {
  const std::string how = GENERATE("pause", "restart", "paused restart", "crash", "full disk",
                                   "lost peers, then resume", "lost peers, then download");
  CAPTURE(how);
  Update update;
  CHECK(update.download().bytes_reused == kOldBytes);
  CHECK(update.download().bytes_received < kNewBytes);
  if (how == "pause") {
    update.command<api::PauseDownload>();
    CHECK(update.download().bytes_reused == kOldBytes);
    CHECK(update.download().bytes_received < kNewBytes);
    update.command<api::ResumeDownload>();
  } else if (how == "restart") {
    update.leech.stop();
    update.leech.start(knowing(update.seed.address));
  } else if (how == "paused restart") {
    update.command<api::PauseDownload>();
    update.leech.stop();
    update.leech.start(knowing(update.seed.address));
    REQUIRE(update.reaches(DownloadState::paused));
    CHECK(update.download().bytes_reused == kOldBytes);
    CHECK(update.download().bytes_received < kNewBytes);
    update.command<api::ResumeDownload>();
  } else if (how == "crash") {
    update.leech.crash(5);
    update.leech.start(knowing(update.seed.address));
  } else if (how == "full disk") {
    update.leech.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
      return operation == "write_at" && path.contains("/staging/game/tree/") ? ENOSPC : 0;
    });
    REQUIRE(update.reaches(DownloadState::paused));
    CHECK(update.download().bytes_reused == kOldBytes);
    update.leech.disk.on_call({});
  } else {
    update.seed.stop();
    REQUIRE(update.reaches(DownloadState::peers_gone));
    CHECK(update.download().bytes_reused == kOldBytes);
    update.seed.start({});
    REQUIRE(
        update.world.run_until([&] { return !update.leech.ask(api::ListGames{}).value()[0].remote.empty(); }, 1min));
    if (how.ends_with("resume")) {
      update.command<api::ResumeDownload>();
    } else {
      update.command<api::StartDownload>();
    }
  }
  REQUIRE(update.world.run_until([&] { return update.leech.count("DownloadGameFilesFinished") == 1; }, 2min));
  const api::DownloadInfo done = update.download();
  CHECK(done.bytes_done == done.bytes_total);
  CHECK(done.bytes_reused == kOldBytes);
  CHECK(done.bytes_received >= kNewBytes);
  CHECK(done.bytes_received < kNewBytes + 4'500'000);  // only what was in flight is received twice
  CHECK(update.leech.disk.tree("/library/game") == update.seed.disk.tree("/library/game"));
}
