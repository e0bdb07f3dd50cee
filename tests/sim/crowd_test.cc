// Crowds: every peer starts with one other peer, gets hints about the rest from it, and ends up with the catalogue of
// the whole network. The test prints the memory and the messages per peer.
//
// The large tests are hidden, because they take minutes: `sim "[crowd]"`, or scripts/sweep.
#include <malloc.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>

#include "libpeer/api/peer_builder.h"
#include "libpeer/base/random.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/sleep.h"
#include "scenario.h"
#include "support/net/memory_network.h"
#include "support/node/seeded_identity.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

/// Games are numbered, and two peers hold each game.
std::string game_name(std::size_t number) { return "game" + std::to_string(number); }

void fill_library(MemoryDisk& disk, std::size_t index, std::size_t peers) {
  for (const std::size_t number : {index, (index + 1) % peers}) {
    disk.write("/library/" + game_name(number) + "/data", "content of " + std::to_string(number));
  }
}

class MemoryPort final : public api::Network {
 public:
  explicit MemoryPort(std::unique_ptr<MemoryTransport> transport) : transport_(std::move(transport)) {}
  net::Transport& transport() override { return *transport_; }
  runtime::Task<void> run(runtime::CancellationToken token) override { return transport_->run(std::move(token)); }

 private:
  std::unique_ptr<MemoryTransport> transport_;
};

/// A complete peer on the in-memory network.
class CrowdPeer {
 public:
  CrowdPeer(runtime::ManualExecutor& executor, MemoryNetwork& network, std::size_t index, std::size_t peers)
      : address_("10.0." + std::to_string(index / 250) + "." + std::to_string(index % 250 + 1) + ":24747"),
        identity_(seeded_identity(index + 1)),
        random_(seeded_random(index + 1)),
        workers_(executor, index, 1ms),
        store_thread_(executor, index, 0ms),
        store_(std::move(*store::open_sqlite_store(":memory:", Log()))),
        resolver_(net::system_resolver(workers_)),
        scope_(executor, "peer" + std::to_string(index), never_.token()) {
    fill_library(disk_, index, peers);
    api::PeerSettings settings;
    settings.name = "peer" + std::to_string(index);
    settings.roots = {"/library"};
    settings.settle = 100ms;
    if (index > 0) settings.peers = {"10.0.0.1:24747"};
    api::PeerBuilder builder(identity_, std::move(settings));
    builder.loops(scope_, scope_).threads(workers_, store_thread_).storage(disk_, *store_).random(*random_, *random_);
    builder.resolver(*resolver_).instance("1").clock([&executor] {
      return 1'800'000'000'000'000'000 + std::chrono::nanoseconds(executor.now().time_since_epoch()).count();
    });
    builder.network([this, &network](runtime::Scope& scope) {
      return std::make_unique<MemoryPort>(network.attach(scope, *net::SocketAddress::parse(address_), identity_.id()));
    });
    builder.on_event([this](const api::Event& event) { count(event); });
    handle_ = builder.start();
  }

  std::size_t met = 0, lost = 0;

  std::vector<api::GameInfo> games() {
    std::vector<api::GameInfo> all;
    handle_->sender().send(api::ListGames{}, [&all](Result<std::vector<api::GameInfo>> reply) { all = *reply; });
    run_sync(dynamic_cast<runtime::ManualExecutor&>(scope_.executor()),
             runtime::sleep_for(scope_.executor(), 1ms, runtime::CancellationToken()));
    return all;
  }
  void shutdown() { handle_->shutdown(); }
  void join() {
    run_sync(dynamic_cast<runtime::ManualExecutor&>(scope_.executor()), scope_.join());
    handle_.reset();
  }

 private:
  void count(const api::Event& event) {
    const auto* peer = std::get_if<api::PeerEvent>(&event);
    if (peer == nullptr) return;
    met += peer->kind == api::PeerEvent::Kind::connected ? 1 : 0;
    lost += peer->kind == api::PeerEvent::Kind::lost ? 1 : 0;
  }

  std::string address_;
  net::Identity identity_;
  MemoryDisk disk_;
  std::unique_ptr<Random> random_;
  runtime::ManualWorkers workers_;
  runtime::ManualWorkers store_thread_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<net::Resolver> resolver_;
  runtime::CancellationSource never_;
  runtime::Scope scope_;
  std::optional<api::PeerRuntimeHandle> handle_;
};

/// Checks that every game is listed with two holders, one of which may be the peer itself.
void check_catalogue(const std::vector<api::GameInfo>& games, std::size_t index, std::size_t peers) {
  INFO("peer " << index);
  REQUIRE(games.size() == peers);
  for (const api::GameInfo& game : games) {
    INFO(game.id);
    REQUIRE(game.remote.size() == 1);
    const bool mine = game.id == game_name(index) || game.id == game_name((index + 1) % peers);
    CHECK(game.remote[0].peers.size() == (mine ? 1 : 2));
    CHECK((game.local != nullptr) == mine);
  }
}

void check_crowd_in_memory(std::size_t count) {
  runtime::ManualExecutor executor;
  MemoryNetwork network(executor);
  const std::size_t heap_before = mallinfo2().uordblks;
  std::vector<std::unique_ptr<CrowdPeer>> peers;
  for (std::size_t i = 0; i < count; ++i) peers.push_back(std::make_unique<CrowdPeer>(executor, network, i, count));
  const auto all_met = [&] { return std::ranges::all_of(peers, [&](auto& peer) { return peer->met >= count - 1; }); };
  const runtime::TimePoint began = executor.now();
  while (!all_met() && executor.now() - began < 5min) executor.advance(100ms);
  const double seconds = std::chrono::duration<double>(executor.now() - began).count();
  for (const auto& peer : peers) REQUIRE(peer->met == count - 1);
  const MemoryNetwork::Stats met = network.stats();
  executor.advance(1min);
  const double heap = static_cast<double>(mallinfo2().uordblks - heap_before);
  const MemoryNetwork::Stats quiet = network.stats();
  executor.advance(1min);
  const MemoryNetwork::Stats later = network.stats();
  const double n = static_cast<double>(count);
  std::printf(
      "%zu peers in memory: all connected after %.1f s and %.0f messages (%.0f KB) a peer; then %.0f messages (%.1f "
      "KB) a "
      "minute and peer; %.0f KB of memory a peer\n",
      count, seconds, static_cast<double>(met.messages) / n, static_cast<double>(met.bytes) / n / 1000,
      static_cast<double>(later.messages - quiet.messages) / n,
      static_cast<double>(later.bytes - quiet.bytes) / n / 1000, heap / n / 1000);
  CHECK(later.links_alive == count * (count - 1) / 2);
  for (std::size_t i = 0; i < count; ++i) {
    check_catalogue(peers[i]->games(), i, count);
    CHECK(peers[i]->lost == 0);
  }
  for (const auto& peer : peers) peer->shutdown();
  executor.advance(3s);
  for (const auto& peer : peers) peer->join();
  CHECK(network.stats().links_alive == 0);
}

void check_crowd_with_packets(std::size_t count) {
  SimWorld world(77);
  std::vector<std::unique_ptr<SimPeer>> peers;
  for (std::size_t i = 0; i < count; ++i) {
    peers.push_back(std::make_unique<SimPeer>(world, "peer" + std::to_string(i), "10.0.0." + std::to_string(i + 1)));
    fill_library(peers[i]->disk, i, count);
    peers[i]->start(i == 0 ? SimPeer::Options() : knowing(peers[0]->address));
  }
  const auto all_met = [&] {
    return std::ranges::all_of(peers, [&](auto& peer) { return peer->count("PeerConnected") >= count - 1; });
  };
  REQUIRE(world.run_until(all_met, 1min));
  world.executor.advance(1min);
  const std::uint64_t before = world.network.stats().sent;
  world.executor.advance(1min);
  std::printf("%zu peers over packets: %.0f datagrams a minute and peer\n", count,
              static_cast<double>(world.network.stats().sent - before) / static_cast<double>(count));
  for (std::size_t i = 0; i < count; ++i) {
    check_catalogue(peers[i]->ask(api::ListGames{}).value(), i, count);
    CHECK(peers[i]->count("PeerConnected") == count - 1);
    CHECK(peers[i]->count("PeerLost") == 0);
  }
}

}  // namespace

TEST_CASE("fifteen peers in memory all have the whole catalogue") { check_crowd_in_memory(15); }
TEST_CASE("six peers over packets all have the whole catalogue") { check_crowd_with_packets(6); }

TEST_CASE("three hundred peers in memory all have the whole catalogue", "[.][crowd]") { check_crowd_in_memory(300); }
TEST_CASE("twenty peers over packets all have the whole catalogue", "[.][crowd]") { check_crowd_with_packets(20); }
