// Downloads that end without a transfer, and the start of the next download after a cancellation.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using api::DownloadState;

namespace {
DownloadState state_of(SimPeer& peer, const std::string& game) {
  for (const auto& each : peer.ask(api::ListDownloads{}).value()) {
    if (each.game == game) return each.state;
  }
  FAIL("no download of " << game);
  return DownloadState::failed;
}
}  // namespace

TEST_CASE("A download that waits for a game which is being hashed here ends when the scan ends") {
  SimWorld world(81);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/library/game", 100'000);
  SimPeer::Options options;
  options.settle = 20s;  // the game is not offered before
  peer.start(options);
  api::StartDownload start = download_of("game");
  start.wait = 10min;
  REQUIRE(peer.ask(start)->state == DownloadState::queued);
  world.executor.advance(30s);
  CHECK(state_of(peer, "game") == DownloadState::finished);
  CHECK(terminal_events(peer) == 0);  // it never began
}

TEST_CASE("A download that waits for another version than the one hashed here keeps waiting") {
  SimWorld world(82);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/library/game", 100'000);
  SimPeer::Options options;
  options.settle = 20s;
  peer.start(options);
  api::StartDownload start = download_of("game");
  start.wait = 10min;
  start.version = "0123456789abcdef";
  REQUIRE(peer.ask(start)->state == DownloadState::queued);
  world.executor.advance(30s);
  CHECK(state_of(peer, "game") == DownloadState::queued);
}

TEST_CASE("A cancelled download gives its turn to the next one before its staging is deleted") {
  SimWorld world(83);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  for (const char* game : {"a", "b"}) make_small_game(seed.disk, std::string("/library/") + game, 6'000'000);
  seed.start({});
  SimPeer::Options options = knowing(seed.address);
  options.parallel = 1;
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == 2; }, 10s));
  for (const char* game : {"a", "b"}) REQUIRE(leech.ask(download_of(game)).has_value());
  REQUIRE(world.run_until([&] { return leech.ask(api::ListDownloads{}).value()[0].bytes_received > 1'000'000; }, 1min));
  api::CancelDownload cancel;
  cancel.game = "a";
  REQUIRE(leech.ask(cancel).has_value());
  world.executor.advance(1s);
  const auto at = [&](std::string_view event) {
    return std::ranges::find_if(world.trace, [&](const std::string& line) { return line.contains(event); });
  };
  REQUIRE(at("leech DownloadGameFilesCancelled a") != world.trace.end());
  CHECK(at("leech DownloadGameFilesBegin b") < at("leech DownloadGameFilesCancelled a"));
}
