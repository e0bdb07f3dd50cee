// A peer that was notified of a download is notified of its end, even if the library changes at the same time.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"
#include "support/node/raw_peer.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("the end of a cancelled update is announced, even if the library, which offers the old version, changes") {
  SimWorld world(92);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_dated_game(seed.disk, "/library/game", 12'000'000);
  leech.disk.write("/library/game/readme", "of an older version");
  leech.disk.set_mtime("/library/game/readme", 1'000'000'000'000'000'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(world.run_until(
      [&] {
        const auto games = leech.ask(api::ListGames{}).value();
        return games.size() == 1 && games[0].remote.size() == 1 && games[0].local && games[0].local->offered;
      },
      30s));
  api::SetLimits limits;
  limits.up = 2'000'000;
  REQUIRE(seed.ask(limits).has_value());
  RawPeer raw(world, "10.0.0.9", leech.address);
  REQUIRE(raw.open());
  raw.send(raw.hello());
  REQUIRE(world.run_until([&] { return raw.count<protocol::Hello>() == 1; }, 5s));
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return raw.count<protocol::Holdings>() == 1; }, 10s));
  const std::size_t updates = raw.count<protocol::LibraryUpdate>();
  api::CancelDownload cancel;
  cancel.game = "game";
  leech.disk.write("/library/other/file", "new");
  REQUIRE(leech.ask(cancel).has_value());
  leech.handle().sender().send(api::Rescan{}, [](const Result<api::Rescan::Reply>&) {});
  REQUIRE(world.run_until([&] { return raw.count<protocol::LibraryUpdate>() > updates; }, 900ms));
  REQUIRE(raw.count<protocol::HoldingsEnd>() == 0);
  CHECK(world.run_until([&] { return raw.count<protocol::HoldingsEnd>() == 1; }, 5s));
}
