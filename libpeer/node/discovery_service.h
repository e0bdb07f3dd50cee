// DiscoveryService: the service Discovery: dials static peers, finds others by mDNS, and reacts when this machine's
// addresses change. Loop: control.
#pragma once

#include <string>
#include <vector>

#include "libpeer/api/peer_options.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/services.h"
#include "libpeer/sessions/peers.h"

namespace peer::node {

class DiscoveryService {
 public:
  DiscoveryService(const api::PeerOptions& options, runtime::Scope& root, Listener& listener, sessions::Peers& peers,
                   Services& services);

  runtime::Task<void> run(runtime::CancellationToken token);
  /// If there are too many mDNS records, those of peers that have connected are kept.
  void on_event(const api::Event& event);

 private:
  runtime::Task<void> run_mdns(runtime::CancellationToken token);
  runtime::Task<void> watch_network(runtime::CancellationToken token);
  void on_mdns(discovery::Event event);
  void on_network_changed();
  std::vector<net::InterfaceAddress> used_addresses() const;

  const api::PeerOptions& options_;
  runtime::Scope& root_;
  Listener& listener_;
  sessions::Peers& peers_;
  Services& services_;
  Log log_;
  std::vector<net::InterfaceAddress> used_addresses_;  ///< at the last change
  bool listening_ = true;                              ///< as last logged
};

}  // namespace peer::node
