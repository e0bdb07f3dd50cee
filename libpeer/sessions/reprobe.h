// Reprobe: finds the peers whose route has changed after a change of this machine's addresses, and dials them again.
//
// Such a peer counts as connected until Liveness times it out. If a new session replaces the old one before that, the
// peer is not lost.
// Loop: control.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "libpeer/sessions/dial_targets.h"

namespace peer::sessions {

class Reprobe {
 public:
  using Probe = std::function<std::vector<std::pair<PeerId, SessionId>>()>;
  /// Asks mDNS for a peer's current addresses through `refresh_addresses`; empty: there is no mDNS.
  Reprobe(runtime::Executor& executor, const SessionProtocol& sessions, const PeerTable& table,
          const DialTargets& targets, Dialer& dialer, std::function<void(const PeerId&)> refresh_addresses, Log log);

  /// The machine's addresses have changed: `probe` pings every peer. Those that do not answer are dialed.
  void on_network_changed(Probe probe);

 private:
  runtime::Task<void> probe_sessions(Probe probe, runtime::CancellationToken token);
  bool is_silent(const PeerId& peer, SessionId session, runtime::TimePoint since) const;
  runtime::Task<void> redial(PeerId peer, SessionId session, runtime::TimePoint since,
                             runtime::CancellationToken token);
  std::vector<net::SocketAddress> addresses_of(const PeerEntry& entry) const;

  runtime::Executor& executor_;
  const SessionProtocol& sessions_;
  const PeerTable& table_;
  const DialTargets& targets_;
  Dialer& dialer_;
  std::function<void(const PeerId&)> refresh_addresses_;
  Log log_;
  std::uint64_t network_changes_ = 0;
  std::set<PeerId> redialed_;  ///< peers that are being dialed again
};

}  // namespace peer::sessions
