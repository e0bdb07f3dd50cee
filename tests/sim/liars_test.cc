// Peers that send wrong bytes: a peer whose disk has changed stops offering the game, a peer that lies is banned.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSize = 12'000'000;

std::size_t banned(SimPeer& peer) {
  const auto peers = peer.ask(api::ListPeers{}).value();
  return static_cast<std::size_t>(
      std::ranges::count_if(peers, [](const auto& each) { return each.state == api::PeerState::banned; }));
}

}  // namespace

TEST_CASE("a seed that keeps sending wrong bytes is banned, the honest one is not, and the result is right") {
  SimWorld world(71);
  world.network.set_conditions(slow_link());
  SimPeer liar(world, "liar", "10.0.0.1");
  SimPeer honest(world, "honest", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_dated_game(liar.disk, "/library/game", kSize);
  make_dated_game(honest.disk, "/library/game", kSize);
  SimPeer::Options lies;
  std::size_t buffers = 0;
  lies.tamper = [&buffers](std::span<std::uint8_t> bytes) {
    if (++buffers >= 2) bytes[bytes.size() / 2] ^= 1;
  };
  liar.start(lies);
  honest.start({});
  SimPeer::Options options;
  options.peers = {liar.address, honest.address};
  leech.start(options);
  REQUIRE(sees(world, leech, 2));
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  CHECK(leech.disk.read("/library/game/big.pak") == honest.disk.read("/library/game/big.pak"));
  CHECK(leech.count("PeerBanned") == 1);
  CHECK(banned(leech) == 1);
  leech.stop();  // the ban survives a restart
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.count("PeerConnected") > 0; }, 30s));
  world.executor.advance(5s);
  CHECK(banned(leech) == 1);
}

TEST_CASE("a seed whose disk has changed is not banned: it hashes the game again and withdraws the old version") {
  SimWorld world(72);
  SimPeer rotten(world, "rotten", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_dated_game(rotten.disk, "/library/game", kSize);
  rotten.start({});
  leech.start(knowing(rotten.address));
  REQUIRE(sees(world, leech, 1));
  const auto before = leech.ask(api::ListGames{}).value().at(0).remote.at(0).version;
  rotten.disk.corrupt("/library/game/big.pak", 5'000'000, "rot");
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
  CHECK(leech.count("PeerBanned") == 0);
  CHECK_FALSE(leech.disk.exists("/library/game"));
  const auto other = [&] {
    const auto games = leech.ask(api::ListGames{}).value();
    return games.size() == 1 && games[0].remote.size() == 1 && games[0].remote[0].version != before;
  };
  CHECK(world.run_until(other, 1min));  // the changed files are another version
}
