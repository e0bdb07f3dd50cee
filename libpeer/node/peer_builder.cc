#include "libpeer/api/peer_builder.h"

#include <array>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/base/hex.h"

namespace peer::api {

namespace {
std::string random_instance(Random& random) {
  std::array<std::uint8_t, 16> instance{};
  random.fill(instance);
  return to_hex(instance);
}
}  // namespace

PeerBuilder::PeerBuilder(net::Identity identity, PeerSettings settings) : options_(std::move(identity)) {
  options_.settings = std::move(settings);
}

PeerBuilder& PeerBuilder::loops(runtime::Scope& control, runtime::Scope& net) {
  options_.environment.control = &control;
  options_.environment.net = &net;
  return *this;
}

PeerBuilder& PeerBuilder::threads(runtime::Workers& workers, runtime::Workers& store_thread) {
  options_.environment.workers = &workers;
  options_.environment.store_thread = &store_thread;
  return *this;
}

PeerBuilder& PeerBuilder::storage(store::Disk& disk, store::Store& store) {
  options_.environment.disk = &disk;
  options_.environment.store = &store;
  return *this;
}

PeerBuilder& PeerBuilder::random(Random& control, Random& net) {
  options_.environment.random = &control;
  options_.environment.net_random = &net;
  return *this;
}

PeerBuilder& PeerBuilder::clock(std::function<std::int64_t()> wall_clock) {
  options_.environment.wall_clock = std::move(wall_clock);
  return *this;
}

PeerBuilder& PeerBuilder::resolver(net::Resolver& resolver) {
  options_.environment.resolver = &resolver;
  return *this;
}

PeerBuilder& PeerBuilder::listen(std::unique_ptr<net::DatagramSocket> socket) {
  options_.socket = std::move(socket);
  return *this;
}

PeerBuilder& PeerBuilder::network(std::function<std::unique_ptr<Network>(runtime::Scope& net)> make) {
  options_.make_network = std::move(make);
  return *this;
}

PeerBuilder& PeerBuilder::machine(MachineNetwork network) {
  options_.network = std::move(network);
  return *this;
}

PeerBuilder& PeerBuilder::diagnosis(std::function<std::vector<Finding>()> judge_machine) {
  options_.judge_machine = std::move(judge_machine);
  return *this;
}

PeerBuilder& PeerBuilder::discovery(discovery::Discovery* discovery, discovery::NetworkMonitor* monitor) {
  options_.environment.discovery = discovery;
  options_.environment.network_monitor = monitor;
  return *this;
}

PeerBuilder& PeerBuilder::watcher(library::Watcher* watcher) {
  options_.environment.watcher = watcher;
  return *this;
}

PeerBuilder& PeerBuilder::test_hooks(TestHooks* hooks) {
  options_.environment.test_hooks = hooks;
  return *this;
}

PeerBuilder& PeerBuilder::instance(std::string instance) {
  options_.instance = std::move(instance);
  return *this;
}

PeerBuilder& PeerBuilder::on_event(EventSink sink) {
  options_.on_event = std::move(sink);
  return *this;
}

PeerBuilder& PeerBuilder::log(Log log) {
  options_.log = std::move(log);
  return *this;
}

PeerRuntimeHandle PeerBuilder::start() {
  const PeerEnvironment& environment = options_.environment;
  PEER_CHECK(environment.control != nullptr && environment.net != nullptr);
  PEER_CHECK(environment.workers != nullptr && environment.store_thread != nullptr);
  PEER_CHECK(environment.disk != nullptr && environment.store != nullptr);
  PEER_CHECK(environment.random != nullptr && environment.net_random != nullptr);
  PEER_CHECK(environment.wall_clock && environment.resolver != nullptr);
  PEER_CHECK(options_.socket != nullptr || options_.make_network);
  PEER_CHECK(!options_.settings.roots.empty());
  if (options_.instance.empty()) options_.instance = random_instance(*environment.random);
  return start_peer(std::move(options_));
}

}  // namespace peer::api
