// Peers: the sessions with other peers, for node/ and downloads/. It owns the parts and connects them.
//
// SessionProtocol decides which messages are sent; Peers feeds it the reports of the session streams and carries out
// its actions. Dialer, TargetDialer, PeerExchange and Reprobe open sessions. Events report every change that others
// need; a burst of library changes is one event. Loop: control. Cancel: cancel run_inbox() only after every session has
// ended; it handles the last messages.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "libpeer/sessions/access_commands.h"
#include "libpeer/sessions/holdings_exchange.h"
#include "libpeer/sessions/peer_exchange.h"
#include "libpeer/sessions/reprobe.h"
#include "libpeer/sessions/session_links.h"
#include "libpeer/sessions/session_protocol.h"
#include "libpeer/sessions/target_dialer.h"

namespace peer::sessions {

struct PeersOptions : SessionProtocolOptions {
  access::AccessMode access = access::AccessMode::open;
  access::Gate* gate = nullptr;         ///< for the session streams; null: every peer is admitted
  runtime::Workers* workers = nullptr;  ///< decode large session frames; null: the net loop does
  net::Transport* transport = nullptr;
  net::Resolver* resolver = nullptr;
  api::EventSink on_event;
  /// Asks mDNS for the peer's current addresses; empty: there is no mDNS.
  std::function<void(const PeerId&)> refresh_addresses;
  std::function<void()> on_sources_changed;  ///< the games that other peers offer, or parts of them, have changed
  std::function<void()> on_bans_changed;
  std::function<void()> on_pairings_changed;
  PeersOptions() = default;
};

class Peers final {
 public:
  Peers(runtime::Scope& control, runtime::Scope& net, PeersOptions options);

  /// For the net loop's session streams.
  SessionContext session_context() const { return dialer_.context(); }
  PeerTable& table() noexcept { return table_; }
  const PeerTable& table() const noexcept { return table_; }
  std::vector<api::PeerInfo> list() const;
  /// Sends other peers the holdings of a download here.
  transfer::HoldingsSink& holdings() noexcept { return holdings_; }

  /// Handles what the session streams report, until cancelled.
  runtime::Task<void> run_inbox(runtime::CancellationToken token);
  /// The service Liveness: pings idle peers, drops silent ones and removes those that have been unreachable for long.
  runtime::Task<void> run_liveness(runtime::CancellationToken token);
  /// The part of the service Discovery that dials: static peers, peers that mDNS finds, and, once each, peers that
  /// other peers name. The sessions continue when it ends.
  runtime::Task<void> run_static(runtime::CancellationToken token);

  /// Adds a peer of the configuration, which is dialed as long as the daemon runs.
  void add_configured(const std::string& address) { targets_.add_static(address)->configured = true; }
  /// The addresses at which mDNS finds a peer now; none: no record names it. None of this is proven.
  void set_found(const PeerId& id, const std::string& name, std::vector<net::SocketAddress> addresses) {
    targets_.set_found(id, name, std::move(addresses));
  }
  /// This machine's addresses have changed: probes the sessions and dials every target at once.
  void network_changed(std::vector<std::string> addresses);
  /// Sets the games that this peer offers.
  void set_library(const std::vector<protocol::GameSummary>& games);
  /// Revision of this peer's library, as announced to peers.
  std::uint64_t revision() const noexcept { return sessions_.revision(); }
  /// The revision that set_library() with these games leads to.
  std::uint64_t revision_of(const std::vector<protocol::GameSummary>& games) const {
    return sessions_.revision_of(games);
  }

  /// Dials now; returns the connected peer. Fails as TargetDialer::connect().
  runtime::Task<Result<api::PeerInfo>> connect(std::string address, runtime::CancellationToken token);
  /// Says goodbye to one peer, and undoes connect(). Fails: invalid if there is nothing to end.
  Result<api::Disconnected> disconnect(const std::string& peer);

  // Bans and pairings, as AccessCommands documents them.
  void ban(const PeerId& peer, const std::string& reason, const std::string& name = {});
  Result<PeerId> find_to_ban(const std::string& peer) const { return access_commands_.find_to_ban(peer); }
  Result<void> unban(const std::string& peer);
  const std::map<PeerId, Ban>& banned() const noexcept { return access_.bans(); }
  /// Adds a ban of the last run. No session or dial is affected.
  void restore_ban(const PeerId& peer, Ban ban) { access_.add_ban(peer, std::move(ban)); }
  Result<api::Pairing> pair(const std::string& peer) { return access_commands_.pair(peer); }
  Result<api::Pairing> unpair(const std::string& peer);
  /// Dials a paired peer at once, if it is a target. The net loop must have the pairing by now.
  void dial_paired(const PeerId& peer);
  const std::map<PeerId, std::string>& paired() const noexcept { return access_.pairings(); }
  /// Adds a pairing of the last run. No session or dial is affected.
  void restore_pairing(const PeerId& peer, std::string name) { access_.add_pairing(peer, std::move(name)); }

  /// Says goodbye to every peer; returns when all sessions are over.
  runtime::Task<void> say_goodbye(runtime::CancellationToken token);

 private:
  runtime::Task<void> receive_reports(runtime::Scope& scope);
  void on_report(SessionReport report);
  void on_opened(SessionOpened opened);
  void on_closed(const SessionClosed& closed);
  void on_denied(const PeerDenial& denial);
  void carry_out_actions();
  void carry_out(SendMessage action);
  void carry_out(const CloseSession& action) { links_.close(action.session); }
  void carry_out(const DialAnswered& action);
  void carry_out(const DialRefused& action) { dialer_.on_refused(action.dial, action.reason); }
  void carry_out(const PeerGreeted& action);
  void carry_out(const SessionReady& action);
  void carry_out(const ExchangeReceived& action);
  void carry_out(const LibraryReceived& action);
  void carry_out(const ReportPeerEvent& action) { options_.on_event(action.event); }
  void carry_out(const CatalogueChanged& action);
  void carry_out(const PeerStateChanged&) { targets_.notify(); }
  runtime::Task<void> announce_catalogue(runtime::CancellationToken token);

  runtime::Scope& control_;
  PeersOptions options_;
  runtime::Channel<SessionReport> inbox_;
  PeerTable table_;
  AccessLists access_;
  SessionProtocol sessions_;
  SessionLinks links_;
  Dialer dialer_;
  DialTargets targets_;
  TargetDialer target_dialer_;
  PeerExchange exchange_;
  HoldingsExchange holdings_;
  Reprobe reprobe_;
  AccessCommands access_commands_;
  runtime::Event catalogue_dirty_;
};

}  // namespace peer::sessions
