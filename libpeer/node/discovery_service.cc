// The service Discovery: dials the peers that were named, looks for others by mDNS, and notices when this machine's own
// addresses change.
#include <algorithm>
#include <utility>

#include "libpeer/node/runtime_state.h"

namespace peer::node {

namespace {

/// "eth0 has 192.168.1.4; eth1 no longer has 10.0.0.7": empty if it is the same addresses, in whatever order.
std::string changes(const std::vector<net::InterfaceAddress>& before, const std::vector<net::InterfaceAddress>& now) {
  std::string text;
  const auto list = [&text](const auto& these, const auto& others, const char* verb) {
    for (const net::InterfaceAddress& each : these) {
      const bool known = std::ranges::any_of(others, [&](const net::InterfaceAddress& other) {
        return other.name == each.name && other.address == each.address;
      });
      if (!known) text += (text.empty() ? "" : "; ") + each.name + verb + each.address.host_string();
    }
  };
  list(now, before, " has ");
  list(before, now, " no longer has ");
  return text;
}

}  // namespace

runtime::Task<void> PeerMain::run_discovery(runtime::CancellationToken token) {
  runtime::Scope scope(*root_, "Discovery", token);
  scope.spawn("peers", peers_->run_static(scope.token()));
  if (environment_.discovery != nullptr) scope.spawn("mDNS", run_mdns(scope.token()));
  if (environment_.network_monitor != nullptr) scope.spawn("interfaces", watch_network(scope.token()));
  co_await scope.join();
}

runtime::Task<void> PeerMain::run_mdns(runtime::CancellationToken token) {
  // Everybody hears it: of a peer that is not open no more than what it is found by.
  const bool open = options_.settings.access.mode == access::AccessMode::open;
  discovery::Record self{options_.identity.id(), open ? options_.settings.name : options_.identity.id().brief(),
                         protocol::kProtocolVersion, open ? peers_->revision() : 0};
  const auto listen = net::SocketAddress::parse(listen_);
  PEER_CHECK(listen.has_value());
  auto tell = [this](discovery::Event event) { on_found(std::move(event)); };
  co_await environment_.discovery->run(std::move(self), listen->port(), std::move(tell), std::move(token));
}

void PeerMain::on_found(discovery::Event event) {
  const Log log = options_.log.named("discovery");
  if (auto* found = std::get_if<discovery::Found>(&event)) {
    peers_->set_found(found->record.id, found->record.name, std::move(found->addresses));
  } else if (const auto* lost = std::get_if<discovery::Lost>(&event)) {
    peers_->set_found(lost->id, {}, {});
  } else if (const auto* unavailable = std::get_if<discovery::Unavailable>(&event)) {
    services_["Discovery"].problem = "no mDNS: " + unavailable->reason;
    log.warn("peers are not looked for by mDNS for now: " + unavailable->reason +
             "; peers named by --peer and those they know are not concerned");
  } else {
    services_["Discovery"].problem.clear();
    log.info("peers are looked for by mDNS");
  }
}

/// Who was proven by a handshake goes first should the records be too many.
void PeerMain::note_met(const api::Event& event) {
  const auto* peer = std::get_if<api::PeerEvent>(&event);
  if (peer == nullptr || peer->kind != api::PeerEvent::Kind::connected || environment_.discovery == nullptr) return;
  environment_.discovery->prefer(peer->id);
}

/// Of the interfaces that are used and up.
std::vector<net::InterfaceAddress> PeerMain::used_addresses() const {
  std::vector<net::InterfaceAddress> used;
  if (!options_.network.list_interfaces) return used;
  for (api::LocalInterface& each : options_.network.list_interfaces()) {
    if (each.used) used.push_back(std::move(each.address));
  }
  return used;
}

void PeerMain::on_network_changed() {
  const Log log = options_.log.named("discovery");
  if (const bool listening = is_listening(); listening != listening_) {
    listening_ = listening;
    if (listening) {
      log.info("this machine has the address " + listen_ + " now: peers can connect");
    } else {
      log.warn(missing_address());
    }
  }
  auto used = used_addresses();
  const std::string difference = changes(used_addresses_, used);
  used_addresses_ = std::move(used);
  if (options_.network.find_addresses) options_.network.addresses = options_.network.find_addresses();
  // Whoever can be reached may have changed in any case: an interface that is not used may lead to a router.
  peers_->network_changed(options_.network.addresses);
  if (environment_.discovery != nullptr) environment_.discovery->network_changed();
  if (difference.empty()) {
    log.debug("interfaces that are not used have changed");
  } else {
    log.info("the network's interfaces have changed: " + difference);
  }
}

runtime::Task<void> PeerMain::watch_network(runtime::CancellationToken token) {
  used_addresses_ = used_addresses();
  listening_ = is_listening();
  auto changed = [this] { on_network_changed(); };
  co_await environment_.network_monitor->run(std::move(changed), std::move(token));
}

}  // namespace peer::node
