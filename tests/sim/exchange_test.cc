// Peer exchange: hints that peers send each other about other peers.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"
#include "scenario.h"
#include "support/node/raw_peer.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {
std::vector<api::PeerInfo> peers_of(SimPeer& peer) { return peer.ask(api::ListPeers{}).value(); }

std::size_t connected(SimPeer& peer) {
  return static_cast<std::size_t>(std::ranges::count(peers_of(peer), api::PeerState::connected, &api::PeerInfo::state));
}

protocol::PeerHint hint_of(std::uint64_t number, const std::string& address) {
  protocol::PeerHint hint;
  hint.id.bytes.fill(0xfe);  // above the ids here, so that they dial at once
  hint.id.bytes[30] = static_cast<std::uint8_t>(number >> 8);
  hint.id.bytes[31] = static_cast<std::uint8_t>(number);
  hint.name = "hinted";
  hint.addresses = {address};
  return hint;
}

/// Afterwards `raw` is connected to `peer`.
void greet(SimWorld& world, RawPeer& raw, SimPeer& peer) {
  REQUIRE(raw.open());
  raw.send(raw.hello());
  REQUIRE(world.run_until([&] { return connected(peer) >= 1; }, 5s));
}
}  // namespace

TEST_CASE("one static peer bridges two groups: every peer connects to every other once, and sees all games") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    SimWorld world(seed);
    std::vector<std::unique_ptr<SimPeer>> peers;
    for (int i = 0; i < 6; ++i) {
      const std::string subnet = i < 3 ? "10.1.0." : "10.2.0.";
      peers.push_back(std::make_unique<SimPeer>(world, "peer" + std::to_string(i), subnet + std::to_string(i + 1)));
      make_small_game(peers.back()->disk, "/library/game" + std::to_string(i), 20'000);
    }
    // 0 is the first group's static peer, 3 the second's; 0 knows 3.
    for (const int i : {0, 3, 1, 2, 4, 5}) {
      SimPeer::Options options;
      if (i == 0) options = knowing(peers[3]->address);
      if (i == 1 || i == 2) options = knowing(peers[0]->address);
      if (i > 3) options = knowing(peers[3]->address);
      peers[static_cast<std::size_t>(i)]->start(options);
    }
    const auto all_met = [&] {
      return std::ranges::all_of(peers, [](auto& peer) { return peer->count("PeerConnected") >= 5; });
    };
    REQUIRE(world.run_until(all_met, 30s));
    world.executor.advance(20s);
    for (auto& peer : peers) {
      CHECK(connected(*peer) == 5);
      CHECK(peer->count("PeerConnected") == 5);
      CHECK(peer->count("PeerLost") == 0);
      CHECK(peer->ask(api::ListGames{}).value().size() == 6);
      for (const api::PeerInfo& other : peers_of(*peer)) CHECK_FALSE(other.found_by.empty());
    }
    // A peer that was found through a hint serves like any other.
    REQUIRE(peers[1]->ask(download_of("game5")).has_value());
    REQUIRE(world.run_until([&] { return peers[1]->count("DownloadGameFilesFinished") == 1; }, 1min));
    // The bridge leaves: the others stay connected.
    peers[3]->stop();
    world.executor.advance(1min);
    CHECK(connected(*peers[1]) == 4);
    CHECK(peers[1]->count("PeerGoodbye") == 1);
    CHECK(peers[1]->count("PeerLost") == 0);
  }
}

TEST_CASE("a peer receives each hint once, and hints about new peers as they join") {
  SimWorld world(11);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  greet(world, raw, peer);
  world.executor.advance(5s);
  CHECK(raw.count<protocol::PeerHints>() == 0);  // there is no other peer
  std::vector<std::unique_ptr<SimPeer>> others;
  for (int i = 2; i < 5; ++i) {
    others.push_back(std::make_unique<SimPeer>(world, "other" + std::to_string(i), "10.0.0." + std::to_string(i)));
    others.back()->start(knowing(peer.address));
  }
  REQUIRE(world.run_until([&] { return connected(peer) == 4; }, 10s));
  world.executor.advance(30s);
  std::vector<protocol::PeerHint> told;
  for (const auto& message : raw.received) {
    if (const auto* hints = std::get_if<protocol::PeerHints>(&message))
      told.insert(told.end(), hints->peers.begin(), hints->peers.end());
  }
  REQUIRE(told.size() == 3);
  for (const auto& other : others) {
    const auto hint = std::ranges::find(told, other->id(), &protocol::PeerHint::id);
    REQUIRE(hint != told.end());
    CHECK(hint->name == other->name);
    CHECK(std::ranges::find(hint->addresses, other->address) != hint->addresses.end());
  }
}

TEST_CASE("hints are bounded, and each is tried once, if its address can belong to a peer") {
  SimWorld world(12);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  greet(world, raw, peer);
  const auto trying = [&] {
    std::size_t count = 0;
    for (const auto& task : peer.ask(api::ListTasks{}).value()) count += task.name.starts_with("try ") ? 1 : 0;
    return count;
  };
  SECTION("elsewhere") {
    protocol::PeerHints hints;
    for (const char* address : {"8.8.8.8:24747", "127.0.0.1:24747", "[fe80::1]:24747", "169.254.1.1:24747", "0.0.0.0:1",
                                "10.0.0.7:0", "[2001:db8::1]:24747"}) {
      hints.peers.push_back(hint_of(hints.peers.size(), address));
    }
    raw.send(hints);
    world.executor.advance(1s);
    CHECK(trying() == 0);
  }
  SECTION("many") {
    for (std::uint64_t i = 0; i < 400; i += 50) {
      protocol::PeerHints hints;
      for (std::uint64_t j = i; j < i + 50; ++j) hints.peers.push_back(hint_of(j, "10.0.1." + std::to_string(j % 250)));
      raw.send(hints);
      raw.send(hints);
    }
    world.executor.advance(1s);
    CHECK(trying() <= protocol::kMaxHintsPerSession);
    CHECK(trying() >= 200);
    for (int i = 0; i < 60 && trying() > 0; ++i) {
      raw.send(protocol::Ping{});  // otherwise it would be lost
      world.executor.advance(5s);
    }
    CHECK(trying() == 0);
    raw.send(protocol::PeerHints{{hint_of(1, "10.0.1.1:24747")}});
    world.executor.advance(1s);
    CHECK(trying() == 0);
    CHECK(peers_of(peer).size() == 1);  // hints alone do not make a listed peer
    CHECK(peer.count("PeerLost") == 0);
  }
}

TEST_CASE("a hint with a wrong id leads to no session") {
  SimWorld world(13);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  peer.start({});
  other.start({});
  world.executor.advance(1s);
  RawPeer raw(world, "10.0.0.9", peer.address);
  greet(world, raw, peer);
  raw.send(protocol::PeerHints{{hint_of(1, other.address)}});
  world.executor.advance(20s);
  CHECK(connected(peer) == 1);
  CHECK(connected(other) == 0);
  protocol::PeerHint right = hint_of(2, other.address);
  right.id = other.id();
  raw.send(protocol::PeerHints{{right}});
  REQUIRE(world.run_until([&] { return connected(peer) == 2; }, 10s));
  const auto listed = peers_of(peer);
  const auto met = std::ranges::find(listed, std::optional(other.id()), &api::PeerInfo::id);
  REQUIRE(met != listed.end());
  CHECK(met->found_by == std::vector<std::string>{"exchange"});
}
