// The service Discovery: dials the peers that were named, looks for others by mDNS, and notices when this machine's own
// addresses change.
#include <utility>

#include "peer/runtime_state.h"

namespace peer::node {

rt::Task<void> PeerMain::run_discovery(rt::CancellationToken token) {
  rt::Scope scope(*root_, "Discovery", token);
  scope.spawn("peers", peers_->run_static(scope.token()));
  if (environment_.discovery != nullptr) scope.spawn("mDNS", run_mdns(scope.token()));
  if (environment_.network != nullptr) scope.spawn("interfaces", watch_network(scope.token()));
  co_await scope.join();
}

rt::Task<void> PeerMain::run_mdns(rt::CancellationToken token) {
  // Everybody hears it: of a peer that is not open no more than what it is found by.
  const bool open = options_.access.mode == AccessMode::open;
  discovery::Record self{options_.identity.id(), open ? options_.name : options_.identity.id().brief(),
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
void PeerMain::note_met(const Event& event) {
  const auto* peer = std::get_if<PeerEvent>(&event);
  if (peer == nullptr || peer->kind != PeerEvent::Kind::connected || environment_.discovery == nullptr) return;
  environment_.discovery->prefer(peer->id);
}

rt::Task<void> PeerMain::watch_network(rt::CancellationToken token) {
  auto changed = [this] {
    options_.log.named("discovery").info("the network's interfaces or addresses have changed");
    if (options_.find_addresses) options_.addresses = options_.find_addresses();
    peers_->network_changed(options_.addresses);
    if (environment_.discovery != nullptr) environment_.discovery->network_changed();
  };
  co_await environment_.network->run(std::move(changed), std::move(token));
}

}  // namespace peer::node
