// A downloaded game that its user has changed: it stays the installed version until the user publishes it, and an
// update keeps the user's files.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using library::GameState;

namespace {

constexpr std::size_t kMiB = 1 << 20;

api::GameInfo game_at(SimPeer& peer) {
  for (api::GameInfo& game : peer.ask(api::ListGames{}).value()) {
    if (game.id == "game") return game;
  }
  return {};
}
GameState state_of(SimPeer& peer) {
  const api::GameInfo game = game_at(peer);
  return game.local ? game.local->state : GameState::downloading;
}
Digest version_of(SimPeer& peer) {
  const api::GameInfo game = game_at(peer);
  return game.local && game.local->offered ? game.local->offered->version : Digest{};
}

/// `leech` has downloaded the game from `seed`.
struct Scene {
  Scene() {
    seed.disk.write("/library/game/big.pak", content(1, 6 * kMiB + 77));
    seed.disk.write("/library/game/settings.ini", "volume=1");
    for (int i = 0; i < 9; ++i) seed.disk.write("/library/game/data/f" + std::to_string(i), content(10 + i, 5000));
    seed.start({});
    leech.start(knowing(seed.address));
    REQUIRE(world.run_until([&] { return game_at(leech).remote.size() == 1; }, 10s));
    download(leech);
    version = version_of(leech);
    world.executor.advance(30s);
    REQUIRE(state_of(leech) == GameState::ready);
  }
  void download(SimPeer& peer) {
    const std::size_t before = peer.count("DownloadGameFilesFinished");
    REQUIRE(peer.ask(download_of("game")).has_value());
    REQUIRE(world.run_until([&] { return peer.count("DownloadGameFilesFinished") > before; }, 2min));
  }
  /// One file is changed, one added, one deleted.
  void play() {
    leech.disk.write("/library/game/settings.ini", "volume=9");
    leech.disk.write("/library/game/saves/one", "level 7");
    leech.disk.remove("/library/game/data/f3");
    REQUIRE(leech.ask(api::Rescan{"game"}).has_value());
  }
  void update_seed() {
    world.executor.advance(1min);
    seed.disk.write("/library/game/big.pak", content(2, 6 * kMiB));
    seed.disk.write("/library/game/settings.ini", "volume=2");
    REQUIRE(seed.ask(api::Rescan{"game"}).has_value());
    REQUIRE(world.run_until(
        [&] { return !game_at(leech).remote.empty() && game_at(leech).remote[0].version != version; }, 30s));
  }

  SimWorld world{301};
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.2"};
  SimPeer third{world, "third", "10.0.0.3"};
  Digest version;
};

}  // namespace

TEST_CASE("modified: a changed game stays the installed version, also after a restart") {
  Scene scene;
  scene.play();
  CHECK(state_of(scene.leech) == GameState::modified);
  CHECK(version_of(scene.leech) == scene.version);
  CHECK(game_at(scene.leech).local->problems.empty());
  CHECK(game_at(scene.seed).remote.at(0).version == scene.version);
  // There is nothing to download: it is that version.
  CHECK(scene.leech.ask(download_of("game"))->state == api::DownloadState::finished);

  scene.world.executor.advance(10s);
  scene.leech.stop();
  const std::uint64_t before = scene.leech.disk.bytes_read();
  scene.leech.start(knowing(scene.seed.address));
  REQUIRE(scene.world.run_until([&] { return state_of(scene.leech) == GameState::modified; }, 30s));
  CHECK(version_of(scene.leech) == scene.version);
  CHECK(scene.leech.disk.bytes_read() - before < 10'000);  // nothing of the game is read again

  scene.leech.disk.write("/library/game/settings.ini", "volume=1");
  scene.leech.disk.remove("/library/game/saves");
  scene.leech.disk.write("/library/game/data/f3", content(13, 5000));
  REQUIRE(scene.leech.ask(api::Rescan{"game"}).has_value());
  CHECK(state_of(scene.leech) == GameState::ready);
  CHECK(version_of(scene.leech) == scene.version);
}

TEST_CASE("modified: other peers can still fetch the version's intact chunks from it") {
  Scene scene;
  std::string big = scene.leech.disk.read("/library/game/big.pak");
  big[2 * kMiB + 5] ^= 1;
  scene.leech.disk.write("/library/game/big.pak", big);
  scene.play();
  REQUIRE(state_of(scene.leech) == GameState::modified);
  SECTION("together with a peer that has the whole version") {
    SimPeer::Options options = knowing(scene.seed.address);
    options.peers.push_back(scene.leech.address);
    scene.third.start(options);
    REQUIRE(sees(scene.world, scene.third, 2));
    scene.download(scene.third);
    CHECK(scene.third.disk.tree("/library/game") == scene.seed.disk.tree("/library/game"));
    CHECK(scene.third.disk.read("/library/game/big.pak") == scene.seed.disk.read("/library/game/big.pak"));
    CHECK(scene.third.disk.read("/library/game/settings.ini") == "volume=1");
    CHECK(version_of(scene.third) == scene.version);
    CHECK(state_of(scene.leech) == GameState::modified);
  }
  SECTION("alone: everything except the chunks that are not intact, then the download ends") {
    scene.seed.stop();
    scene.third.start(knowing(scene.leech.address));
    REQUIRE(sees(scene.world, scene.third, 1));
    REQUIRE(scene.third.ask(download_of("game")).has_value());
    REQUIRE(scene.world.run_until([&] { return terminal_events(scene.third) == 1; }, 5min));
    const auto downloads = scene.third.ask(api::ListDownloads{}).value();
    REQUIRE(downloads.size() == 1);
    CHECK(downloads[0].state == api::DownloadState::failed);
    CHECK(downloads[0].bytes_total - downloads[0].bytes_done == kMiB + 8 + 5000);
    CHECK(state_of(scene.leech) == GameState::modified);
  }
}

TEST_CASE("modified: publishing makes it a version of its own, and the next change another version") {
  Scene scene;
  scene.play();
  api::Rescan publish{"game"};
  publish.publish = true;
  REQUIRE(scene.leech.ask(publish).has_value());
  const Digest own = version_of(scene.leech);
  CHECK(own != scene.version);
  CHECK(own != Digest{});
  CHECK(state_of(scene.leech) == GameState::ready);
  REQUIRE(scene.world.run_until([&] { return game_at(scene.seed).remote.at(0).version == own; }, 10s));
  scene.leech.disk.write("/library/game/saves/two", "level 8");
  REQUIRE(scene.leech.ask(api::Rescan{"game"}).has_value());
  CHECK(state_of(scene.leech) == GameState::ready);
  CHECK(version_of(scene.leech) != own);
}

TEST_CASE("modified: an update moves changed files aside and keeps added files in place") {
  Scene scene;
  scene.play();
  scene.update_seed();
  scene.download(scene.leech);
  SimPeer& leech = scene.leech;
  CHECK(leech.disk.read("/library/game/big.pak") == scene.seed.disk.read("/library/game/big.pak"));
  CHECK(leech.disk.read("/library/game/settings.ini") == "volume=2");
  CHECK(leech.disk.read("/library/game/saves/one") == "level 7");
  CHECK(leech.disk.exists("/library/game/data/f3"));
  CHECK(leech.disk.tree("/library/.peerd/replaced") ==
        std::vector<std::string>{"game/", "game/1/", "game/1/settings.ini"});
  CHECK(leech.disk.read("/library/.peerd/replaced/game/1/settings.ini") == "volume=9");
  // The save is not part of the version: the next scan finds the game modified.
  REQUIRE(scene.world.run_until([&] { return state_of(leech) == GameState::modified; }, 10s));
  CHECK(version_of(leech) == version_of(scene.seed));
}

TEST_CASE("modified: verify lists the files that differ from the installed ones, and repair leaves added files alone") {
  Scene scene;
  scene.play();
  scene.world.executor.advance(10s);
  api::VerifyGame verify;
  verify.game = "game";
  const auto found = scene.leech.ask(verify);
  REQUIRE(found.has_value());
  CHECK(found->damaged == std::vector<std::string>{"data/f3", "settings.ini"});
  CHECK(state_of(scene.leech) == GameState::modified);  // as before
  verify.repair = true;
  const auto repaired = scene.leech.ask(verify);
  REQUIRE(repaired.has_value());
  CHECK(repaired->repaired);
  CHECK(scene.leech.disk.read("/library/game/settings.ini") == "volume=1");
  CHECK(scene.leech.disk.exists("/library/game/data/f3"));
  CHECK(scene.leech.disk.read("/library/game/saves/one") == "level 7");
  CHECK(scene.leech.disk.read("/library/.peerd/replaced/game/1/settings.ini") == "volume=9");
  const auto downloads = scene.leech.ask(api::ListDownloads{}).value();
  CHECK(downloads.at(0).bytes_received < 20'000);
}

TEST_CASE("modified: a game that is removed and then copied there by hand is an own game") {
  Scene scene;
  api::RemoveGame remove;
  remove.game = "game";
  REQUIRE(scene.leech.ask(remove).has_value());
  scene.leech.disk.write("/library/game/other", "of my own");
  REQUIRE(scene.leech.ask(api::Rescan{"game"}).has_value());
  CHECK(state_of(scene.leech) == GameState::ready);
  const Digest first = version_of(scene.leech);
  scene.leech.disk.write("/library/game/more", "of my own");
  REQUIRE(scene.leech.ask(api::Rescan{"game"}).has_value());
  CHECK(version_of(scene.leech) != first);
}
