// Peers found by a discovery that the test plays.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"
#include "support/discovery/fake_discovery.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

/// Reports a change of the network when the test requests it.
class FakeMonitor final : public discovery::NetworkMonitor {
 public:
  runtime::Task<void> run(std::function<void()> changed, runtime::CancellationToken token) override {
    struct Stop {
      FakeMonitor& fake;
      ~Stop() { fake.change = nullptr; }
    };
    const Stop stop{*this};
    change = std::move(changed);
    runtime::Event never;
    co_await never.wait(token);
  }
  std::function<void()> change;
};

struct Found {
  FakeDiscovery discovery;
  FakeMonitor monitor;
  SimPeer peer;

  Found(SimWorld& world, const std::string& name, const std::string& ip) : peer(world, name, ip) {}
  void start() {
    SimPeer::Options options;
    options.discovery = &discovery;
    options.network = &monitor;
    peer.start(options);
  }
  void find(const Found& other) const {
    discovery.find({other.peer.id(), other.peer.name, 1, 1}, {*net::SocketAddress::parse(other.peer.address)});
  }
  api::PeerInfo only() {
    auto list = peer.ask(api::ListPeers{}).value();
    REQUIRE(list.size() == 1);
    return list.front();
  }
  bool connected() {
    const auto list = peer.ask(api::ListPeers{}).value();
    return list.size() == 1 && list.front().state == api::PeerState::connected;
  }
};

struct Pair {
  explicit Pair(std::uint64_t seed) : world(seed), a(world, "a", "10.0.0.1"), b(world, "b", "10.0.0.2") {
    a.start();
    b.start();
    REQUIRE(world.run_until([&] { return a.discovery.running() && b.discovery.running(); }, 1s));
  }
  void meet() {
    a.find(b);
    b.find(a);
    REQUIRE(world.run_until([&] { return a.connected() && b.connected(); }, 5s));
  }
  SimWorld world;
  Found a, b;
};

}  // namespace

TEST_CASE("two peers that discover each other connect once, and list how the other was found") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Pair pair(seed);
    CHECK(pair.a.discovery.record.id == pair.a.peer.id());
    CHECK(pair.a.discovery.published_port == net::kDefaultPort);
    pair.meet();
    CHECK(std::ranges::count(pair.a.only().found_by, "mdns") == 1);
    CHECK(pair.a.peer.count("PeerDiscovered") == 1);
    CHECK(pair.a.peer.count("PeerConnected") == 1);
    CHECK(pair.a.discovery.proven.contains(pair.b.peer.id()));
    pair.world.run_until([] { return false; }, 1min);
    CHECK(pair.a.connected());
    CHECK(pair.a.peer.count("PeerConnected") == 1);
    CHECK(pair.b.peer.count("PeerConnected") == 1);
  }
}

TEST_CASE("an address at which another peer answers than its record names leads to no connection") {
  Pair pair(1);
  discovery::Record forged{pair.a.peer.id(), "forged", 1, 1};
  forged.id.bytes[0] ^= 1;
  pair.a.discovery.find(forged, {*net::SocketAddress::parse(pair.b.peer.address)});
  pair.world.run_until([] { return false; }, 30s);
  CHECK(pair.a.peer.count("PeerConnected") == 0);
  CHECK(pair.b.peer.count("PeerConnected") == 0);
  pair.a.discovery.lose(forged.id);
  pair.world.run_until([] { return false; }, 1s);
  CHECK(pair.a.peer.ask(api::ListPeers{}).value().empty());
}

TEST_CASE("a peer that is no longer discovered stays connected, and is not dialed again after it is lost") {
  Pair pair(1);
  pair.meet();
  pair.a.discovery.lose(pair.b.peer.id());
  pair.b.discovery.lose(pair.a.peer.id());
  pair.world.run_until([] { return false; }, 1min);
  CHECK(pair.a.connected());
  pair.b.peer.stop();
  CHECK(pair.a.peer.ask(api::ListPeers{}).value().empty());
}

TEST_CASE("an address that does not answer is resolved again, and a new one is dialed at once") {
  Pair pair(1);
  const discovery::Record b{pair.b.peer.id(), "b", 1, 1};
  pair.a.discovery.find(b, {*net::SocketAddress::parse("10.0.0.99:24747")});
  REQUIRE(pair.world.run_until([&] { return pair.a.discovery.looked_again[b.id] > 0; }, 30s));
  CHECK_FALSE(pair.a.connected());
  pair.a.find(pair.b);
  CHECK(pair.world.run_until([&] { return pair.a.connected(); }, 3s));
}

TEST_CASE("after a network change a silent peer is dialed again and never lost") {
  Pair pair(2);
  pair.meet();
  const auto host = *net::SocketAddress::parse(pair.b.peer.address);
  pair.world.run_until([] { return false; }, 5s);
  pair.world.network.cut(host);
  pair.a.monitor.change();
  CHECK(pair.a.discovery.network_changes == 1);
  pair.world.run_until([] { return false; }, 5s);
  pair.world.network.restore(host);
  CHECK(pair.a.connected());
  pair.world.run_until([] { return false; }, 3s);
  for (Found* each : {&pair.a, &pair.b}) {
    CHECK(each->connected());
    CHECK(each->only().last_seen_s < 4);
    CHECK(each->peer.count("PeerLost") == 0);
    CHECK(each->peer.count("PeerConnected") == 1);
  }
}

TEST_CASE("a network change is logged at info if it concerns a used interface, and at debug otherwise") {
  SimWorld world(1);
  FakeMonitor monitor;  // before the peer, which uses all of these until its end
  bool has_address = true;
  std::vector<api::LocalInterface> interfaces;
  SimPeer peer(world, "a", "10.0.0.1");
  const auto add = [&](const char* name, const char* address, bool used) {
    api::LocalInterface each;
    each.address.name = name;
    each.address.address = *net::SocketAddress::parse(std::string(address) + ":0");
    each.address.up = true;
    each.used = used;
    interfaces.push_back(each);
  };
  add("eth0", "10.0.0.1", true);
  add("docker0", "172.17.0.1", false);
  SimPeer::Options options;
  options.network = &monitor;
  options.list_interfaces = [&] { return interfaces; };
  options.can_listen = [&] { return has_address; };
  peer.start(options);
  REQUIRE(world.run_until([&] { return monitor.change != nullptr; }, 1s));

  monitor.change();
  add("veth1234", "172.17.0.2", false);
  monitor.change();
  std::ranges::reverse(interfaces);
  monitor.change();
  CHECK(peer.logged(LogLevel::info, "interfaces") == 0);
  CHECK(peer.logged(LogLevel::debug, "unused network interfaces changed") == 3);

  add("wlan0", "10.1.0.7", true);
  monitor.change();
  CHECK(peer.logged(LogLevel::info, "the network interfaces changed: wlan0 has 10.1.0.7") == 1);
  std::erase_if(interfaces, [](const auto& each) { return each.address.name == "wlan0"; });
  monitor.change();
  CHECK(peer.logged(LogLevel::info, "the network interfaces changed: wlan0 no longer has 10.1.0.7") == 1);

  // The address that it listens on disappears and returns.
  CHECK(peer.ask(api::GetStatus{})->listen == std::vector<std::string>{"10.0.0.1:24747"});
  has_address = false;
  const api::Status waiting = peer.ask(api::GetStatus{}).value();
  CHECK(waiting.listen.empty());
  CHECK(waiting.services.at(0).name == "QuicServer");
  CHECK(waiting.services.at(0).problem.contains("10.0.0.1:24747"));
  monitor.change();
  monitor.change();
  CHECK(peer.logged(LogLevel::warn, "no interface of this machine has the address 10.0.0.1:24747") == 1);
  has_address = true;
  monitor.change();
  monitor.change();
  CHECK(peer.logged(LogLevel::info, "this machine now has the address 10.0.0.1:24747") == 1);
  CHECK(peer.ask(api::GetStatus{})->services.at(0).problem.empty());
}

TEST_CASE("LocalLibraryChanged is emitted when the offered games have changed, and at no other time") {
  SimWorld world(2);
  SimPeer empty(world, "a", "10.0.0.1");
  empty.start({});
  world.executor.advance(10min);  // scans many times
  CHECK(empty.count("LocalLibraryChanged") == 0);

  SimPeer peer(world, "b", "10.0.0.2");
  make_small_game(peer.disk, "/library/game", 2'000'000);
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("LocalLibraryChanged") > 0; }, 10s));
  CHECK(peer.ask(api::ListGames{})->at(0).local->offered != nullptr);
  world.executor.advance(10min);
  CHECK(peer.count("LocalLibraryChanged") == 1);
  peer.ask(api::Rescan{});
  world.executor.advance(1s);
  CHECK(peer.count("LocalLibraryChanged") == 1);
  make_small_game(peer.disk, "/library/other", 2'000'000);  // is found, listed as hashing, and offered
  peer.ask(api::Rescan{});
  REQUIRE(world.run_until([&] { return peer.ask(api::GetStatus{})->games == 2; }, 1min));
  world.executor.advance(10min);
  CHECK(peer.count("LocalLibraryChanged") == 2);
}

TEST_CASE("discovery publishes the library's revision") {
  SimWorld world(1);
  Found a(world, "a", "10.0.0.1");
  make_small_game(a.peer.disk, "/library/game", 10'000);
  a.start();
  REQUIRE(world.run_until([&] { return a.discovery.running() && a.peer.count("LocalLibraryChanged") > 0; }, 10s));
  const std::uint64_t revision = a.discovery.record.revision;
  make_small_game(a.peer.disk, "/library/another", 10'000);
  a.peer.ask(api::Rescan{});
  CHECK(world.run_until([&] { return a.discovery.record.revision > revision; }, 10s));
}
