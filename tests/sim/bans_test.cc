// Bans: by the user and for wrong data, across restarts, and lifting them.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

api::PeerState state_of(SimPeer& peer, const PeerId& other) {
  for (const auto& each : peer.ask(api::ListPeers{}).value()) {
    if (each.id == other) return each.state;
  }
  return api::PeerState::connecting;
}

std::size_t offers(SimPeer& peer) {
  std::size_t count = 0;
  for (const auto& game : peer.ask(api::ListGames{}).value()) count += game.remote.size();
  return count;
}

template <class C>
auto command(SimPeer& peer, const std::string& other) {
  C each;
  each.peer = other;
  return peer.ask(each);
}

}  // namespace

TEST_CASE(
    "ban: it ends the session, and until it is lifted the peer is no source and is sent nothing, also after restarts") {
  SimWorld world(81);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  make_small_game(one.disk, "/library/game", 100'000);
  make_small_game(two.disk, "/library/other", 100'000);
  one.start({});
  two.start(knowing(one.address));
  REQUIRE(world.run_until([&] { return offers(two) == 1 && offers(one) == 1; }, 10s));

  REQUIRE(command<api::BanPeer>(two, "one").has_value());
  CHECK(state_of(two, one.id()) == api::PeerState::banned);
  CHECK(offers(two) == 0);
  CHECK(two.count("PeerBanned") == 1);
  CHECK(two.count("PeerLost") == 1);
  CHECK(two.ask(download_of("game")).error().code == ErrorCode::not_found);
  CHECK(command<api::BanPeer>(two, "nobody").error().code == ErrorCode::invalid);
  REQUIRE(command<api::BanPeer>(two, one.id().hex()).has_value());
  CHECK(two.count("PeerBanned") == 1);
  world.executor.advance(1min);
  CHECK(offers(one) == 0);
  CHECK(state_of(one, two.id()) != api::PeerState::connected);
  // The same if the banned peer dials.
  api::ConnectPeer connect;
  connect.address = two.address;
  CHECK(one.ask(connect).error().code == ErrorCode::refused);

  two.stop();
  two.start(knowing(one.address));
  world.executor.advance(1min);
  CHECK(state_of(two, one.id()) == api::PeerState::banned);
  CHECK(offers(two) == 0);

  CHECK(command<api::UnbanPeer>(two, "nobody").error().code == ErrorCode::invalid);
  REQUIRE(command<api::UnbanPeer>(two, one.id().hex().substr(0, 12)).has_value());
  REQUIRE(world.run_until([&] { return offers(two) == 1 && offers(one) == 1; }, 2s));
  two.stop();
  two.start(knowing(one.address));
  REQUIRE(world.run_until([&] { return offers(two) == 1; }, 10s));
}

TEST_CASE("ban: when it is lifted both peers connect at once, whichever side dials") {
  for (const bool banned_dials : {true, false}) {
    for (const runtime::Duration while_banned : {5ms, 20ms, 1000ms, 10'000ms, 120'000ms}) {
      INFO((banned_dials ? "the banned peer dials, " : "the banning peer dials, ") << while_banned / 1ms << " ms");
      SimWorld world(84);
      SimPeer one(world, "one", "10.0.0.1");
      SimPeer two(world, "two", "10.0.0.2");
      one.start(banned_dials ? knowing(two.address) : SimPeer::Options());
      two.start(banned_dials ? SimPeer::Options() : knowing(one.address));
      const auto connected = [&] {
        return one.ask(api::GetStatus{})->peers == 1 && two.ask(api::GetStatus{})->peers == 1;
      };
      REQUIRE(world.run_until(connected, 10s));
      REQUIRE(command<api::BanPeer>(two, "one").has_value());
      world.executor.advance(while_banned);
      CHECK_FALSE(connected());
      REQUIRE(command<api::UnbanPeer>(two, one.id().hex()).has_value());
      REQUIRE(world.run_until(connected, 2s));
      CHECK(state_of(one, two.id()) == api::PeerState::connected);
    }
  }
}

TEST_CASE(
    "ban: lifting it at any moment of a dial that it makes fail lets the peers connect without waiting for the next "
    "retry") {
  SimWorld world(85);
  LinkConditions conditions;
  conditions.delay = 200ms;  // a dial takes at least a second
  world.network.set_conditions(conditions);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  one.start({});
  two.start(knowing(one.address));
  const auto connected = [&] { return one.ask(api::GetStatus{})->peers == 1 && two.ask(api::GetStatus{})->peers == 1; };
  for (runtime::Duration while_banned = 600ms; while_banned < 5s; while_banned += 200ms) {
    INFO("lifted after " << while_banned / 1ms << " ms");
    REQUIRE(world.run_until(connected, 20s));
    REQUIRE(command<api::BanPeer>(two, "one").has_value());
    world.executor.advance(while_banned);
    REQUIRE(command<api::UnbanPeer>(two, one.id().hex()).has_value());
    REQUIRE(world.run_until(connected, 5s));
    world.executor.advance(10s);
  }
}

TEST_CASE("ban: a peer that was never seen can be banned by its whole id") {
  SimWorld world(82);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  one.start({});
  REQUIRE(command<api::BanPeer>(one, two.id().hex()).has_value());
  CHECK(command<api::BanPeer>(one, one.id().hex()).error().code == ErrorCode::invalid);
  CHECK(state_of(one, two.id()) == api::PeerState::banned);
  two.start(knowing(one.address));
  world.executor.advance(10s);
  CHECK(one.ask(api::GetStatus{})->peers == 0);
  CHECK(two.ask(api::GetStatus{})->peers == 0);
}

TEST_CASE("ban: a download whose source is banned in the middle continues from another peer") {
  SimWorld world(83);
  world.network.set_conditions(slow_link());
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  SimPeer::Options options;
  for (SimPeer* seed : {&one, &two}) {
    make_small_game(seed->disk, "/library/game", 12'000'000);
    seed->start({});
    options.peers.push_back(seed->address);
  }
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.ask(api::GetStatus{})->peers == 2 && offers(leech) == 1; }, 10s));
  world.executor.advance(1s);
  REQUIRE(leech.ask(download_of("game")).has_value());
  world.executor.advance(1s);
  REQUIRE(command<api::BanPeer>(leech, "one").has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 1min));
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  CHECK(leech.disk.read("/library/game/big.pak") == two.disk.read("/library/game/big.pak"));
}
