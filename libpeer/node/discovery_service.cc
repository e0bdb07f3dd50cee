#include "libpeer/node/discovery_service.h"

#include <algorithm>
#include <utility>

namespace peer::node {

namespace {

constexpr const char* kName = "Discovery";

/// "eth0 has 192.168.1.4; eth1 no longer has 10.0.0.7". Empty for the same addresses in any order.
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

DiscoveryService::DiscoveryService(const api::PeerOptions& options, runtime::Scope& root, Listener& listener,
                                   sessions::Peers& peers, Services& services)
    : options_(options),
      root_(root),
      listener_(listener),
      peers_(peers),
      services_(services),
      log_(options.log.named("discovery")) {}

runtime::Task<void> DiscoveryService::run(runtime::CancellationToken token) {
  runtime::Scope scope(root_, kName, token);
  scope.spawn("peers", peers_.run_static(scope.token()));
  if (options_.environment.discovery != nullptr) scope.spawn("mDNS", run_mdns(scope.token()));
  if (options_.environment.network_monitor != nullptr) scope.spawn("interfaces", watch_network(scope.token()));
  co_await scope.join();
}

runtime::Task<void> DiscoveryService::run_mdns(runtime::CancellationToken token) {
  // Anyone on the network can read a record. Unless access is open, it holds only what is needed to find this peer.
  const bool open = options_.settings.access.mode == access::AccessMode::open;
  const PeerId& id = options_.identity.id();
  discovery::Record self{id, open ? options_.settings.name : id.brief(), protocol::kProtocolVersion,
                         open ? peers_.revision() : 0};
  const auto listen = net::SocketAddress::parse(listener_.address());
  PEER_CHECK(listen.has_value());
  auto tell = [this](discovery::Event event) { on_mdns(std::move(event)); };
  co_await options_.environment.discovery->run(std::move(self), listen->port(), std::move(tell), std::move(token));
}

void DiscoveryService::on_mdns(discovery::Event event) {
  if (auto* found = std::get_if<discovery::Found>(&event)) {
    peers_.set_found(found->record.id, found->record.name, std::move(found->addresses));
  } else if (const auto* lost = std::get_if<discovery::Lost>(&event)) {
    peers_.set_found(lost->id, {}, {});
  } else if (const auto* unavailable = std::get_if<discovery::Unavailable>(&event)) {
    services_.set_problem(kName, "no mDNS: " + unavailable->reason);
    log_.warn("mDNS is unavailable: " + unavailable->reason +
              "; static peers and peers named by other peers are still found");
  } else {
    services_.set_problem(kName, {});
    log_.info("mDNS is available: searching for peers");
  }
}

void DiscoveryService::on_event(const api::Event& event) {
  discovery::Discovery* const discovery = options_.environment.discovery;
  const auto* peer = std::get_if<api::PeerEvent>(&event);
  if (peer == nullptr || peer->kind != api::PeerEvent::Kind::connected || discovery == nullptr) return;
  discovery->prefer(peer->id);
}

/// The addresses of the interfaces that are up and used.
std::vector<net::InterfaceAddress> DiscoveryService::used_addresses() const {
  std::vector<net::InterfaceAddress> used;
  for (api::LocalInterface& each : listener_.interfaces()) {
    if (each.used) used.push_back(std::move(each.address));
  }
  return used;
}

void DiscoveryService::on_network_changed() {
  if (const bool listening = listener_.is_present(); listening != listening_) {
    listening_ = listening;
    if (listening) {
      log_.info("this machine now has the address " + listener_.address() + ": peers can connect");
    } else {
      log_.warn(listener_.missing_text());
    }
  }
  auto used = used_addresses();
  const std::string difference = changes(used_addresses_, used);
  used_addresses_ = std::move(used);
  listener_.refresh_advertised();
  // Do this even if no used interface has changed: another interface may lead to a router.
  peers_.network_changed(listener_.advertised());
  if (options_.environment.discovery != nullptr) options_.environment.discovery->network_changed();
  if (difference.empty()) {
    log_.debug("unused network interfaces changed");
  } else {
    log_.info("the network interfaces changed: " + difference);
  }
}

runtime::Task<void> DiscoveryService::watch_network(runtime::CancellationToken token) {
  used_addresses_ = used_addresses();
  listening_ = listener_.is_present();
  auto changed = [this] { on_network_changed(); };
  co_await options_.environment.network_monitor->run(std::move(changed), std::move(token));
}

}  // namespace peer::node
