// Automatic downloads and updates, and the options of queued downloads, which survive restarts.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using api::DownloadState;

namespace {

std::optional<Digest> version_of(SimPeer& peer, const std::string& game) {
  for (const api::GameInfo& each : peer.ask(api::ListGames{}).value()) {
    if (each.id == game && each.local && each.local->offered) return each.local->offered->version;
  }
  return std::nullopt;
}

struct Scene {
  explicit Scene(std::vector<std::string> globs, const std::vector<std::string>& games = {"quake1", "quake2", "doom"}) {
    world.network.set_conditions(slow_link());
    for (const std::string& game : games) make_dated_game(seed.disk, "/library/" + game, 1'000'000);
    seed.start({});
    options = knowing(seed.address);
    options.automatic = std::move(globs);
    leech.start(options);
  }
  bool has(const std::string& game, runtime::Duration limit = 1min) {
    return world.run_until([&] { return version_of(leech, game) && version_of(leech, game) == version_of(seed, game); },
                           limit);
  }
  void update(const std::string& game) {
    world.executor.advance(1min);
    seed.disk.write("/library/" + game + "/data/file1", content(world.executor.now().time_since_epoch().count(), 500));
    REQUIRE(seed.ask(api::Rescan{game}).has_value());
  }

  SimWorld world{401};
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.2"};
  SimPeer::Options options;
};

}  // namespace

TEST_CASE("automatic: games that match are fetched and updated, and other games are left alone") {
  Scene scene({"quake*"});
  REQUIRE(scene.has("quake1"));
  REQUIRE(scene.has("quake2"));
  scene.update("quake2");
  REQUIRE(scene.has("quake2"));
  scene.update("quake2");
  REQUIRE(scene.has("quake2"));
  CHECK_FALSE(scene.leech.disk.exists("/library/doom"));
  CHECK(scene.leech.count("DownloadGameFilesFinished") == 4);
  CHECK(terminal_events(scene.leech) == 4);
  // An older version does not replace its own newer one.
  scene.world.executor.advance(1min);
  scene.leech.disk.write("/library/quake1/data/file1", "newer");
  api::Rescan publish{"quake1"};
  publish.publish = true;
  REQUIRE(scene.leech.ask(publish).has_value());
  scene.world.executor.advance(5min);
  CHECK(scene.leech.disk.read("/library/quake1/data/file1") == "newer");
  CHECK(terminal_events(scene.leech) == 4);
}

TEST_CASE("automatic: a game that the user cancelled or removed is left alone until the user requests it") {
  Scene scene({"*"}, {"doom"});
  REQUIRE(scene.world.run_until([&] { return !scene.leech.ask(api::ListDownloads{})->empty(); }, 30s));
  api::CancelDownload cancel;
  cancel.game = "doom";
  REQUIRE(scene.leech.ask(cancel).has_value());
  scene.world.executor.advance(15min);
  CHECK_FALSE(scene.leech.disk.exists("/library/doom"));
  REQUIRE(scene.leech.ask(download_of("doom")).has_value());
  REQUIRE(scene.has("doom"));
  api::RemoveGame remove;
  remove.game = "doom";
  REQUIRE(scene.leech.ask(remove).has_value());
  scene.update("doom");
  scene.world.executor.advance(15min);
  CHECK_FALSE(scene.leech.disk.exists("/library/doom"));
  // The next run does not remember the cancellation.
  scene.leech.stop();
  scene.leech.start(scene.options);
  REQUIRE(scene.has("doom"));
}

TEST_CASE("automatic: a changed configuration applies at once, and a game that is already here is not fetched") {
  Scene scene({});
  make_dated_game(scene.leech.disk, "/library/quake1", 1'000'000);
  scene.world.executor.advance(10s);
  CHECK(scene.leech.ask(api::ListDownloads{})->empty());
  api::Reconfigure change;
  change.automatic = {"quake?"};
  change.down = 2'000'000;
  REQUIRE(scene.leech.ask(change).has_value());
  CHECK(scene.leech.ask(api::GetLimits{})->down == 2'000'000);
  REQUIRE(scene.has("quake2"));
  REQUIRE(scene.has("quake1"));
  for (const auto& each : scene.leech.ask(api::ListDownloads{}).value()) {
    if (each.game == "quake1") CHECK(each.bytes_received == 0);
  }
}

TEST_CASE("automatic: --from, --version and --wait of a queued download are kept over a restart") {
  SimWorld world(402);
  world.network.set_conditions(slow_link());
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_dated_game(one.disk, "/library/game", 4'000'000);
  make_dated_game(two.disk, "/library/game", 4'000'000);
  one.start({});
  two.start({});
  SimPeer::Options options = knowing(one.address);
  options.peers.push_back(two.address);
  leech.start(options);
  REQUIRE(sees(world, leech, 2));
  api::StartDownload start = download_of("game");
  start.from = {"two"};
  start.wait = 1h;
  REQUIRE(leech.ask(start).has_value());
  leech.stop();
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 2min));
  const auto done = leech.ask(api::ListDownloads{}).value().at(0);
  REQUIRE(done.sources.size() == 1);
  CHECK(done.sources[0].id == two.id());

  // The download of a version that no peer has still waits after the restart, and ends when its wait expires.
  api::StartDownload later = download_of("later");
  later.wait = 10min;
  REQUIRE(leech.ask(later).has_value());
  world.executor.advance(5min);
  leech.stop();
  leech.start(options);
  world.executor.advance(2min);
  const auto waiting = leech.ask(api::ListDownloads{}).value();
  REQUIRE(waiting.size() == 1);
  CHECK(waiting[0].game == "later");
  CHECK(waiting[0].state == DownloadState::queued);
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFailed") == 1; }, 11min));
}

TEST_CASE("automatic: a user's own folder is never replaced") {
  SimWorld world(403);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  make_dated_game(seed.disk, "/library/here", 1'000'000);
  make_dated_game(seed.disk, "/library/late", 4'000'000);
  make_dated_game(seed.disk, "/library/stop", 4'000'000);
  seed.start({});
  leech.disk.write("/library/here/mine", "mine");
  leech.disk.set_mtime("/library/here/mine", 1'600'000'000'000'000'000);  // older than what the seed has
  SimPeer::Options options = knowing(seed.address);
  options.automatic = {"*"};
  leech.start(options);
  const auto under_way = [&](const std::string& game) {
    for (const auto& each : leech.ask(api::ListDownloads{}).value()) {
      if (each.game == game && each.bytes_done > 500'000) return true;
    }
    return false;
  };
  // One own folder appears while the game is downloaded, another while the daemon is down.
  REQUIRE(world.run_until([&] { return under_way("late") && under_way("stop"); }, 1min));
  leech.disk.write("/library/late/mine", "mine");
  leech.stop();
  leech.disk.write("/library/stop/mine", "mine");
  leech.start(options);
  world.executor.advance(15min);
  for (const char* game : {"here", "late", "stop"}) {
    INFO(game);
    CHECK(leech.disk.tree("/library/" + std::string(game)) == std::vector<std::string>{"mine"});
    CHECK_FALSE(leech.disk.exists("/library/.peerd/replaced/" + std::string(game)));
  }
  // A resumed automatic download does not replace it either.
  api::ResumeDownload resume;
  resume.game = "late";
  static_cast<void>(leech.ask(resume));
  world.executor.advance(5min);
  CHECK(leech.disk.tree("/library/late") == std::vector<std::string>{"mine"});
  // A download that the user requests may replace it.
  api::StartDownload start = download_of("late");
  start.version = version_of(seed, "late").value().hex();
  REQUIRE(leech.ask(start).has_value());
  REQUIRE(world.run_until([&] { return leech.disk.exists("/library/late/big.pak"); }, 1min));
  CHECK(leech.disk.read("/library/.peerd/replaced/late/1/mine") == "mine");
}
