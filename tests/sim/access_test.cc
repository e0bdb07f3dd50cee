// Access modes: which peers the party's key and pairing admit, and what a peer that is not admitted learns.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const std::string kKey = "000102030405060708090a0b0c0d0e0f";
const std::string kOtherKey = "f00102030405060708090a0b0c0d0e0f";

SimPeer::Options in_party(const std::string& key, std::vector<std::string> peers = {}) {
  SimPeer::Options options;
  options.peers = std::move(peers);
  options.access.mode = access::AccessMode::party;
  options.access.secret = *access::PartySecret::parse(key);
  return options;
}

SimPeer::Options paired_only(std::vector<std::string> peers = {}) {
  SimPeer::Options options;
  options.peers = std::move(peers);
  options.access.mode = access::AccessMode::paired;
  return options;
}

std::optional<api::PeerInfo> listed(SimPeer& peer, const PeerId& other) {
  for (const auto& each : peer.ask(api::ListPeers{}).value()) {
    if (each.id == other) return each;
  }
  return std::nullopt;
}

bool is(SimPeer& peer, const SimPeer& other, api::PeerState state) {
  const auto info = listed(peer, other.id());
  return info && info->state == state;
}
bool connected(SimPeer& one, SimPeer& two) {
  return is(one, two, api::PeerState::connected) && is(two, one, api::PeerState::connected);
}

template <class C>
auto command(SimPeer& peer, const std::string& other) {
  C each;
  each.peer = other;
  return peer.ask(each);
}
Result<api::Pairing> pair(SimPeer& here, const SimPeer& other) {
  return command<api::PairPeer>(here, other.id().hex());
}

Result<api::PeerInfo> connect(SimPeer& peer, const std::string& address) {
  api::ConnectPeer each;
  each.address = address;
  return peer.ask(each);
}

std::size_t offers(SimPeer& peer) {
  std::size_t count = 0;
  for (const auto& game : peer.ask(api::ListGames{}).value()) count += game.remote.size();
  return count;
}

}  // namespace

TEST_CASE("access: peers with the same party key share; peers with another key, no key or in open mode are refused") {
  SimWorld world(301);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer three(world, "three", "10.0.0.3");
  SimPeer wrong(world, "wrong", "10.0.0.4");
  SimPeer open(world, "open", "10.0.0.5");
  make_small_game(one.disk, "/library/game", 300'000);
  one.start(in_party(kKey));
  two.start(in_party(kKey, {one.address}));
  three.start(in_party(kKey + "\n", {two.address}));
  wrong.start(in_party(kOtherKey, {one.address}));
  open.start(knowing(one.address));
  // The third peer receives a hint about the first: in a party all peers know each other.
  REQUIRE(world.run_until([&] { return connected(one, two) && connected(two, three) && connected(one, three); }, 30s));
  REQUIRE(world.run_until([&] { return offers(two) == 1 && offers(three) == 1; }, 10s));
  REQUIRE(two.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(two) > 0; }, 1min));
  CHECK(two.count("DownloadGameFilesFinished") == 1);

  for (SimPeer* stranger : {&wrong, &open}) {
    CAPTURE(stranger->name);
    CHECK(is(*stranger, one, api::PeerState::refused));
    CHECK(is(one, *stranger, api::PeerState::refused));
    CHECK_FALSE(listed(one, stranger->id())->reason.empty());
    CHECK_FALSE(listed(two, stranger->id()));  // there are no hints about strangers
    CHECK_FALSE(listed(*stranger, two.id()));
    CHECK(offers(*stranger) == 0);
    CHECK(stranger->count("PeerConnected") == 0);
    const auto refused = connect(*stranger, two.address);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::refused);
    auto from = download_of("game");
    from.from = {one.id().hex()};
    CHECK(stranger->ask(from).error().code == ErrorCode::refused);
  }
  // It does not keep retrying.
  unsigned attempts = 0;
  for (int second = 0; second < 180; ++second) {
    world.executor.advance(1s);
    attempts += listed(wrong, one.id())->last_seen_s.value() < 1 ? 1 : 0;
  }
  CHECK(attempts >= 2);
  CHECK(attempts <= 3);
  // The same holds in the other direction.
  CHECK(connect(one, open.address).error().code == ErrorCode::refused);
  CHECK(connect(one, wrong.address).error().code == ErrorCode::refused);
  CHECK(one.ask(api::GetStatus{})->access == access::AccessMode::party);
}

TEST_CASE("access: a peer that is given the right key is admitted as soon as it restarts") {
  SimWorld world(302);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  one.start(in_party(kKey, {two.address}));
  two.start(in_party(kOtherKey, {one.address}));
  REQUIRE(world.run_until([&] { return is(one, two, api::PeerState::refused); }, 10s));
  two.stop();
  two.start(in_party(kKey, {one.address}));
  REQUIRE(world.run_until([&] { return connected(one, two); }, 10s));
}

TEST_CASE("access: peers that both sides have paired connect by themselves, until they are unpaired") {
  SimWorld world(303);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  make_small_game(one.disk, "/library/game", 300'000);
  one.start(paired_only());
  two.start(paired_only({one.address}));
  REQUIRE(world.run_until([&] { return is(two, one, api::PeerState::refused); }, 10s));
  CHECK(connect(two, one.address).error().code == ErrorCode::refused);
  CHECK(listed(two, one.id())->name == one.id().brief());
  CHECK(listed(two, one.id())->addresses == std::vector{one.address});
  CHECK(two.ask(api::GetStatus{})->peers == 0);

  // One side is not enough; after the attempt the other side lists it too.
  const auto first = command<api::PairPeer>(two, one.id().hex().substr(0, 10));
  REQUIRE(first.has_value());
  CHECK(first->note.contains("peerctl pair " + two.id().brief()));
  REQUIRE(world.run_until([&] { return is(one, two, api::PeerState::refused); }, 10s));
  REQUIRE(world.run_until([&] { return is(two, one, api::PeerState::refused); }, 10s));
  CHECK(listed(two, one.id())->paired);
  CHECK_FALSE(listed(one, two.id())->paired);
  CHECK(listed(one, two.id())->name == two.id().brief());
  world.executor.advance(10min);
  CHECK(offers(two) == 0);
  REQUIRE(command<api::PairPeer>(one, two.id().hex().substr(0, 10)).has_value());
  REQUIRE(world.run_until([&] { return connected(one, two) && offers(two) == 1; }, 7s));
  CHECK(listed(two, one.id())->name == "one");

  SECTION("over restarts") {
    for (SimPeer* peer : {&one, &two}) {
      peer->stop();
      peer->start(paired_only({one.address}));
      REQUIRE(world.run_until([&] { return connected(one, two); }, 35s));
    }
    // By its last known name, even while it is not connected.
    one.stop();
    REQUIRE(world.run_until([&] { return !is(two, one, api::PeerState::connected); }, 35s));
    two.stop();
    two.start(paired_only());
    REQUIRE(listed(two, one.id()));
    CHECK(listed(two, one.id())->name == "one");
    CHECK(listed(two, one.id())->state == api::PeerState::unreachable);
    REQUIRE(command<api::UnpairPeer>(two, "one").has_value());
    CHECK_FALSE(listed(two, one.id()));
    two.stop();
    two.start(paired_only());
    CHECK_FALSE(listed(two, one.id()));
    CHECK(command<api::UnpairPeer>(two, "one").error().code == ErrorCode::invalid);
  }
  SECTION("until one side unpairs") {
    REQUIRE(command<api::UnpairPeer>(one, "two").has_value());
    CHECK(is(one, two, api::PeerState::refused));
    CHECK(one.count("PeerLost") == 1);
    world.executor.advance(1min);
    CHECK(is(two, one, api::PeerState::refused));
    CHECK(offers(two) == 0);
    CHECK(connect(two, one.address).error().code == ErrorCode::refused);
    REQUIRE(command<api::PairPeer>(one, two.id().brief()).has_value());
    REQUIRE(world.run_until([&] { return connected(one, two) && offers(two) == 1; }, 7s));
  }
  SECTION("a ban wins") {
    REQUIRE(command<api::BanPeer>(one, "two").has_value());
    CHECK(command<api::PairPeer>(one, two.id().hex())->note.contains("unban"));
    world.executor.advance(1min);
    CHECK(is(one, two, api::PeerState::banned));
    CHECK(offers(two) == 0);
    REQUIRE(command<api::UnbanPeer>(one, two.id().hex()).has_value());
    REQUIRE(world.run_until([&] { return connected(one, two); }, 7s));
  }
}

TEST_CASE(
    "access: a peer that was paired before it was first seen connects at once; without pairings no peer connects") {
  SimWorld world(304);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer three(world, "three", "10.0.0.3");
  one.start(paired_only());
  REQUIRE(pair(one, two).has_value());
  CHECK(command<api::PairPeer>(one, "nobody").error().code == ErrorCode::invalid);
  CHECK(pair(one, one).error().code == ErrorCode::invalid);
  two.start(paired_only());
  REQUIRE(pair(two, one).has_value());
  CHECK(listed(two, one.id())->state == api::PeerState::unreachable);
  REQUIRE(connect(two, one.address).has_value());
  // The first peer is paired with both, and sends neither a hint about the other.
  three.start(paired_only({one.address}));
  REQUIRE(pair(three, one).has_value());
  REQUIRE(pair(one, three).has_value());
  REQUIRE(world.run_until([&] { return connected(one, three); }, 10s));
  world.executor.advance(1min);
  CHECK(connected(one, two));
  CHECK_FALSE(listed(two, three.id()));
  CHECK_FALSE(listed(three, two.id()));
}

TEST_CASE("access: a pairing made in open mode is saved and applies later in paired mode") {
  SimWorld world(305);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  one.start({});
  two.start(knowing(one.address));
  REQUIRE(world.run_until([&] { return connected(one, two); }, 10s));
  CHECK(command<api::PairPeer>(one, "two")->note.contains("open"));
  CHECK(command<api::PairPeer>(two, "one").has_value());
  CHECK(listed(one, two.id())->paired);
  CHECK(command<api::UnpairPeer>(two, "one")->note.contains("open"));
  CHECK(connected(one, two));
  REQUIRE(command<api::PairPeer>(two, "one").has_value());
  one.stop();
  two.stop();
  one.start(paired_only());
  two.start(paired_only({one.address}));
  REQUIRE(world.run_until([&] { return connected(one, two); }, 10s));
}

TEST_CASE("access: a download whose source unpairs in the middle continues from another peer, or ends") {
  const bool another = GENERATE(true, false);
  const bool by_the_seed = GENERATE(true, false);
  CAPTURE(another, by_the_seed);
  SimWorld world(306);
  world.network.set_conditions(slow_link());
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  std::vector<SimPeer*> seeds{&one};
  if (another) seeds.push_back(&two);
  SimPeer::Options options = paired_only();
  for (SimPeer* seed : seeds) {
    make_dated_game(seed->disk, "/library/game", 12'000'000);
    seed->start(paired_only());
    REQUIRE(pair(*seed, leech).has_value());
    options.peers.push_back(seed->address);
  }
  leech.start(options);
  for (SimPeer* seed : seeds) REQUIRE(pair(leech, *seed).has_value());
  REQUIRE(sees(world, leech, seeds.size()));
  REQUIRE(leech.ask(download_of("game")).has_value());
  world.executor.advance(1s);
  SimPeer& actor = by_the_seed ? one : leech;
  REQUIRE(command<api::UnpairPeer>(actor, by_the_seed ? leech.id().hex() : one.id().hex()).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 1min));
  CHECK(leech.count(another ? "DownloadGameFilesFinished" : "DownloadGameFilesAllPeersGone") == 1);
  if (another) CHECK(leech.disk.read("/library/game/big.pak") == two.disk.read("/library/game/big.pak"));
}
