// How peers connect, recognise each other after a restart, and disconnect.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"
#include "scenario.h"
#include "support/node/raw_peer.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {
net::SocketAddress host(const SimPeer& peer) { return *net::SocketAddress::parse(peer.address); }
std::vector<api::PeerInfo> peers_of(SimPeer& peer) { return peer.ask(api::ListPeers{}).value(); }
}  // namespace

TEST_CASE("two peers that dial each other at the same time end up with one session, and neither is reported lost") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    SimWorld world(seed);
    LinkConditions conditions;
    conditions.delay = 3ms;
    conditions.jitter = 5ms;
    conditions.loss = seed % 3 == 0 ? 0.1 : 0;
    world.network.set_conditions(conditions);
    SimPeer a(world, "a", "10.0.0.1");
    SimPeer b(world, "b", "10.0.0.2");
    a.start(knowing(b.address));
    b.start(knowing(a.address));
    REQUIRE(world.run_until([&] { return a.count("PeerConnected") + b.count("PeerConnected") >= 2; }, 20s));
    world.executor.advance(40s);
    for (SimPeer* peer : {&a, &b}) {
      CHECK(peer->count("PeerDiscovered") == 1);
      CHECK(peer->count("PeerConnected") == 1);
      CHECK(peer->count("PeerLost") == 0);
      const auto listed = peers_of(*peer);
      REQUIRE(listed.size() == 1);
      CHECK(listed[0].state == api::PeerState::connected);
      CHECK(listed[0].rtt_ms.has_value());
      std::size_t sessions = 0;
      for (const auto& task : peer->ask(api::ListTasks{}).value()) {
        sessions += task.name == "read" && task.parent.starts_with("session ") ? 1 : 0;
      }
      CHECK(sessions == 1);
    }
  }
}

TEST_CASE("a restarted peer is reported lost once, then connected with its new library") {
  SimWorld world(21);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  make_small_game(seed.disk, "/library/old", 100'000);
  other.start({});
  seed.start(knowing(other.address));
  REQUIRE(world.run_until([&] { return other.count("GamesUpdated") >= 1; }, 10s));
  seed.crash(5);
  seed.disk.remove("/library/old");
  make_small_game(seed.disk, "/library/new", 100'000);
  seed.start(knowing(other.address));
  REQUIRE(world.run_until([&] { return other.count("PeerConnected") == 2; }, 10s));
  world.executor.advance(5s);
  CHECK(other.count("PeerLost") == 1);
  CHECK(other.count("PeerGoodbye") == 0);
  CHECK(other.count("PeerDiscovered") == 1);
  const auto games = other.ask(api::ListGames{}).value();
  REQUIRE(games.size() == 1);
  CHECK(games[0].id == "new");
}

TEST_CASE("the daemon's own address is refused and never listed") {
  SimWorld world(22);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  api::ConnectPeer connect;
  connect.address = peer.address;
  const auto answer = peer.ask(connect);
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().code == ErrorCode::refused);
  CHECK(answer.error().message.find("itself") != std::string::npos);
  CHECK(peers_of(peer).empty());
  CHECK(peer.count("PeerConnected") == 0);
}

TEST_CASE("connect answers when the peer is connected, and does not wait for the next scheduled retry") {
  SimWorld world(23);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  a.start(knowing(b.address));
  world.executor.advance(3min);  // the retries are far apart by now
  b.start({});
  api::ConnectPeer connect;
  connect.address = b.address;
  const auto before = world.executor.now();
  const auto answer = a.ask(connect);
  REQUIRE(answer.has_value());
  CHECK(answer->state == api::PeerState::connected);
  CHECK(answer->name == "b");
  CHECK(world.executor.now() - before < 1s);
}

TEST_CASE("connect right after disconnect waits for the end of the old session and opens a new one") {
  SimWorld world(27);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  b.start({});
  a.start({});
  api::ConnectPeer connect;
  connect.address = b.address;
  REQUIRE(a.ask(connect).has_value());
  for (int i = 0; i < 5; ++i) {
    REQUIRE(a.ask(api::DisconnectPeer{"b"}).has_value());
    const auto again = a.ask(connect);
    REQUIRE(again.has_value());
    CHECK(again->state == api::PeerState::connected);
  }
}

TEST_CASE("a silent peer is lost once after `lost`, with its games; a static peer reconnects by itself") {
  SimWorld world(24);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  make_small_game(b.disk, "/library/game", 10'000);
  SimPeer::Options options = knowing(b.address);
  options.ping = 2s;
  options.lost = 6s;
  b.start({});
  a.start(options);
  REQUIRE(world.run_until([&] { return a.count("GamesUpdated") == 1; }, 10s));
  world.executor.advance(1min);
  CHECK(a.count("PeerLost") == 0);  // quiet, but it answers pings
  world.network.partition(host(a), host(b));
  world.executor.advance(5s);
  CHECK(a.count("PeerLost") == 0);
  REQUIRE(world.run_until([&] { return a.count("PeerLost") == 1; }, 4s));
  CHECK(a.ask(api::ListGames{}).value().empty());
  CHECK(peers_of(a)[0].state == api::PeerState::unreachable);
  world.executor.advance(2min);
  CHECK(a.count("PeerLost") == 1);
  world.network.heal(host(a), host(b));
  REQUIRE(world.run_until([&] { return a.count("PeerConnected") == 2; }, 1min));
  CHECK(a.count("PeerDiscovered") == 1);
  REQUIRE(world.run_until([&] { return a.ask(api::ListGames{}).value().size() == 1; }, 5s));
}

TEST_CASE("a library change reaches the peers, even if it occurs during their handshake") {
  SimWorld world(25);
  SimPeer seed(world, "seed", "10.0.0.1");
  seed.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", seed.address);
  REQUIRE(raw.open());
  REQUIRE(world.run_until([&] { return raw.count<protocol::Hello>() == 1; }, 5s));
  make_small_game(seed.disk, "/library/game", 10'000);
  seed.ask(api::Rescan{});
  world.executor.advance(2s);
  CHECK(raw.count<protocol::LibraryUpdate>() == 0);
  raw.send(raw.hello());
  REQUIRE(world.run_until([&] { return raw.count<protocol::LibraryUpdate>() == 1; }, 5s));
}

TEST_CASE("a session without a Hello, or with a wrong one, is closed") {
  SimWorld world(26);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  REQUIRE(raw.open());
  SECTION("none at all") {
    world.executor.advance(4s);
    CHECK_FALSE(raw.over());
    REQUIRE(world.run_until([&] { return raw.over(); }, 2s));
  }
  SECTION("something else first") {
    raw.send(protocol::Ping{1});
    REQUIRE(world.run_until([&] { return raw.over(); }, 2s));
    CHECK(raw.count<protocol::Pong>() == 0);
  }
  SECTION("another id than the certificate's") {
    protocol::Hello hello = raw.hello();
    hello.id.bytes[3] ^= 1;
    raw.send(hello);
    REQUIRE(world.run_until([&] { return raw.over(); }, 2s));
    CHECK(raw.count<protocol::Refusal>() == 1);
  }
  SECTION("another protocol") {
    protocol::Hello hello = raw.hello();
    hello.protocol = 2;
    raw.send(hello);
    REQUIRE(world.run_until([&] { return raw.over(); }, 2s));
    CHECK(raw.count<protocol::Refusal>() == 1);
    CHECK(peers_of(peer).at(0).state == api::PeerState::refused);
  }
  CHECK(peer.count("PeerConnected") == 0);
}

TEST_CASE("only an idle peer is pinged, and any message proves that a peer is alive") {
  SimWorld world(27);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  REQUIRE(raw.open());
  raw.send(raw.hello());
  REQUIRE(
      world.run_until([&] { return raw.count<protocol::Ping>() == 1; }, 2s));  // the first ping measures the round trip
  for (int i = 0; i < 60; ++i) {
    raw.send(protocol::Ping{7});
    world.executor.advance(1s);
  }
  CHECK(raw.count<protocol::Ping>() == 1);
  CHECK(raw.count<protocol::Pong>() == 60);
  world.executor.advance(20s);
  CHECK(raw.count<protocol::Ping>() == 2);
  CHECK(peer.count("PeerLost") == 0);
  world.executor.advance(10s);
  CHECK(peer.count("PeerLost") == 1);
}

TEST_CASE("a goodbye is handled, even if a request before it can no longer be answered") {
  for (std::uint64_t seed = 40; seed < 48; ++seed) {
    SimWorld world(seed);
    SimPeer peer(world, "peer", "10.0.0.1");
    peer.start({});
    world.executor.advance(1s);
    RawPeer raw(world, "10.0.0.9", peer.address);
    REQUIRE(raw.open());
    raw.send(raw.hello());
    REQUIRE(world.run_until([&] { return peer.count("PeerConnected") == 1; }, 2s));
    for (std::uint64_t i = 0; i < seed - 40; ++i) raw.send(protocol::Ping{i});
    raw.send(protocol::Goodbye{"leaving"});
    world.executor.advance(2s);
    CHECK(peer.count("PeerGoodbye") == 1);
    CHECK(peer.count("PeerLost") == 0);
  }
}

namespace {
/// RawPeer's Hello with a library of that many games.
protocol::Hello hello_with(const RawPeer& raw, std::uint64_t revision,
                           const std::vector<protocol::GameSummary>& games) {
  protocol::Hello hello = raw.hello();
  hello.revision = revision;
  hello.digest = protocol::library_digest(games);
  return hello;
}
protocol::LibraryUpdate update_to(std::uint64_t base, std::uint64_t revision,
                                  std::vector<protocol::GameSummary> changed,
                                  const std::vector<protocol::GameSummary>& all) {
  protocol::LibraryUpdate update;
  update.base = base;
  update.revision = revision;
  update.digest = protocol::library_digest(all);
  update.games = std::move(changed);
  return update;
}
std::uint64_t asked_since(const RawPeer& raw) {
  for (auto message = raw.received.rbegin(); message != raw.received.rend(); ++message) {
    if (const auto* request = std::get_if<protocol::LibraryRequest>(&*message)) return request->since;
  }
  return UINT64_MAX;
}
}  // namespace

TEST_CASE("equal digests need no exchange; otherwise the library is requested from a known revision, or from 0") {
  SimWorld world(50);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  std::vector<protocol::GameSummary> games(2);
  games[0].id = "a";
  games[1].id = "b";
  const auto seen = [&] { return peer.ask(api::ListGames{}).value().size(); };
  const auto meet = [&](RawPeer& raw, protocol::Hello hello) {
    REQUIRE(raw.open());
    raw.send(std::move(hello));
    world.executor.advance(1s);
  };
  {
    RawPeer raw(world, "10.0.0.9", peer.address);
    meet(raw, hello_with(raw, 4, {}));
    CHECK(raw.count<protocol::LibraryRequest>() == 0);  // both have nothing
    raw.send(update_to(4, 5, games, games));
    world.executor.advance(1s);
    CHECK(raw.count<protocol::LibraryRequest>() == 0);
    CHECK(seen() == 2);
    raw.send(update_to(4, 5, games, games));  // again
    world.executor.advance(1s);
    CHECK(seen() == 2);
    CHECK(peer.count("GamesUpdated") == 1);
  }
  REQUIRE(world.run_until([&] { return peer.count("PeerLost") == 1; }, 1min));
  CHECK(seen() == 0);
  SECTION("the same library, another address") {
    RawPeer raw(world, "10.0.0.10", peer.address, "10.0.0.9");
    meet(raw, hello_with(raw, 5, games));
    CHECK(raw.count<protocol::LibraryRequest>() == 0);
    CHECK(seen() == 2);
    CHECK(peers_of(peer).size() == 1);
  }
  SECTION("the same library after a restart") {
    RawPeer raw(world, "10.0.0.9", peer.address);
    protocol::Hello hello = hello_with(raw, 1, games);
    hello.instance = "2";
    meet(raw, hello);
    CHECK(raw.count<protocol::LibraryRequest>() == 0);
    CHECK(seen() == 2);
  }
  SECTION("a later revision") {
    RawPeer raw(world, "10.0.0.9", peer.address);
    std::vector<protocol::GameSummary> more = games;
    more.emplace_back().id = "c";
    meet(raw, hello_with(raw, 7, more));
    CHECK(asked_since(raw) == 5);
    raw.send(update_to(5, 7, {more[2]}, more));
    world.executor.advance(1s);
    CHECK(seen() == 3);
    CHECK(raw.count<protocol::LibraryRequest>() == 1);
  }
  SECTION("another library after a restart") {
    RawPeer raw(world, "10.0.0.9", peer.address);
    protocol::Hello hello = hello_with(raw, 9, {games[0]});
    hello.instance = "2";
    meet(raw, hello);
    CHECK(asked_since(raw) == 0);
    CHECK(seen() == 0);
    raw.send(update_to(0, 9, {games[0]}, {games[0]}));
    world.executor.advance(1s);
    CHECK(seen() == 1);
  }
}

TEST_CASE("a burst of changes causes one event") {
  SimWorld world(51);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  REQUIRE(raw.open());
  raw.send(raw.hello());
  REQUIRE(world.run_until([&] { return peer.count("PeerConnected") == 1; }, 2s));
  std::vector<protocol::GameSummary> games;
  for (std::uint64_t i = 0; i < 50; ++i) {
    games.emplace_back().id = "game" + std::to_string(100 + i);
    raw.send(update_to(i + 1, i + 2, {games.back()}, games));
  }
  world.executor.advance(2s);
  CHECK(peer.ask(api::ListGames{}).value().size() == 50);
  CHECK(peer.count("GamesUpdated") == 1);
}

TEST_CASE("a peer that refused is remembered and not dialed again soon") {
  SimWorld world(52);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  {
    RawPeer raw(world, "10.0.0.9", peer.address);
    REQUIRE(raw.open());
    protocol::Hello hello = raw.hello();
    hello.protocol = 2;
    raw.send(hello);
    REQUIRE(world.run_until([&] { return raw.over(); }, 2s));
  }
  const auto state = [&] {
    const auto listed = peers_of(peer);
    return listed.empty() ? api::PeerState::connecting : listed[0].state;
  };
  CHECK(state() == api::PeerState::refused);
  world.executor.advance(9min);
  CHECK(state() == api::PeerState::refused);
  world.executor.advance(2min);
  CHECK(peers_of(peer).empty());
}

TEST_CASE("a peer that timed out stays listed for ten minutes; one that said goodbye disappears at once") {
  SimWorld world(53);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer dies(world, "dies", "10.0.0.2");
  SimPeer leaves(world, "leaves", "10.0.0.3");
  peer.start({});
  dies.start(knowing(peer.address));
  leaves.start(knowing(peer.address));
  REQUIRE(world.run_until([&] { return peer.count("PeerConnected") == 2; }, 10s));
  leaves.stop();
  world.executor.advance(100ms);
  CHECK(peers_of(peer).size() == 1);
  dies.crash(1);
  REQUIRE(world.run_until([&] { return peer.count("PeerLost") == 1; }, 1min));
  CHECK(peers_of(peer).at(0).state == api::PeerState::unreachable);
  world.executor.advance(9min);
  CHECK(peers_of(peer).size() == 1);
  world.executor.advance(2min);
  CHECK(peers_of(peer).empty());
}

TEST_CASE("endless library requests, or updates whose digests never match, do not cause an endless exchange") {
  SimWorld world(28);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  REQUIRE(raw.open());
  raw.send(raw.hello());
  REQUIRE(world.run_until([&] { return peer.count("PeerConnected") == 1; }, 2s));
  SECTION("requests") {
    for (int i = 0; i < 200; ++i) raw.send(protocol::LibraryRequest{0});
    REQUIRE(world.run_until([&] { return raw.over(); }, 5s));
    CHECK(raw.count<protocol::LibraryUpdate>() <= 20);
  }
  SECTION("digests") {
    for (int i = 0; i < 100; ++i) {
      protocol::LibraryUpdate update;
      update.revision = 5;
      raw.send(update);
      world.executor.advance(100ms);
    }
    CHECK(raw.count<protocol::LibraryRequest>() <= 6);
    CHECK(peer.count("PeerLost") == 0);
  }
}

TEST_CASE("a peer that floods is held back, and messages of others are still handled") {
  SimWorld world(29);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  REQUIRE(raw.open());
  raw.send(raw.hello());
  protocol::LibraryUpdate update;
  update.revision = 5;
  update.last = false;
  for (std::size_t i = 0; i < protocol::kMaxGamesPerUpdate; ++i) {
    protocol::GameSummary game;
    game.id = "game" + std::to_string(i);
    update.games.push_back(game);
  }
  for (int i = 0; i < 100; ++i) raw.send(update);
  other.start(knowing(peer.address));
  REQUIRE(world.run_until([&] { return other.count("PeerConnected") == 1; }, 5s));
  peer.request_shutdown();
  REQUIRE(world.run_until([&] { return peer.stopped(); }, 3s));
  CHECK(peer.exit().overran.empty());
  CHECK(world.run_until([&] { return other.count("PeerGoodbye") == 1; }, 1s));
}
