// The answer of `show`.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("show: a game that is still being written is found without files; a version that no peer has is not found") {
  SimWorld world(86);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  make_small_game(peer.disk, "/library/game", 10'000);
  const auto is_found = [&] { return !peer.ask(api::ListGames{})->empty(); };
  static_cast<void>(peer.ask(api::ListGames{}));
  peer.handle().sender().send(api::Rescan{}, [](const Result<api::Rescan::Reply>&) {});
  REQUIRE(world.run_until(is_found, 3s));
  api::ShowGame show;
  show.game = "game";
  const auto settling = peer.ask(show);
  REQUIRE(settling.has_value());
  CHECK(settling->files.empty());
  CHECK(settling->game.local->offered == nullptr);
  show.version = "0123456789";
  const auto missing = peer.ask(show);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == ErrorCode::unavailable);
  show.version.reset();
  REQUIRE(world.run_until([&] { return peer.ask(show)->files_total == 6; }, 30s));
}
