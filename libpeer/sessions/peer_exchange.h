// PeerExchange: connected peers tell each other which other peers they are connected with, so that one static peer
// bridges a routed subnet.
//
// Such a message is a hint: peerd dials it once, and trusts it only after the handshake.
// Loop: control.
// Limits: protocol::kMaxHintsPerSession per session and direction; kMaxHints waiting or being dialed, shared fairly
// among the accounts that sent them; of one account, kHintsBurst at once and kHintsPerSecond, and kMaxDialsPerHinter
// dials at a time; kMaxHintDials dials at a time in all.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "libpeer/sessions/dialer.h"
#include "libpeer/sessions/session_links.h"
#include "libpeer/sessions/session_protocol.h"

namespace peer::sessions {

inline constexpr std::size_t kMaxHints = 1024;
inline constexpr double kHintsBurst = 256;
inline constexpr double kHintsPerSecond = 1;
inline constexpr std::uint64_t kMaxDialsPerHinter = 6;
inline constexpr std::uint64_t kMaxHintDials = kMaxContacts / 2;  ///< the others are for peers that mDNS finds
inline constexpr std::size_t kMaxHinters = 1024;                  ///< accounts that are remembered

class PeerExchange {
 public:
  PeerExchange(runtime::Executor& executor, const SessionProtocol& sessions, SessionLinks& links,
               const PeerTable& table, const AccessLists& access, Dialer& dialer, Log log);

  /// Sends every peer the addresses of the others, a moment after each change, until cancelled.
  runtime::Task<void> run_sharing(runtime::CancellationToken token);
  /// Dials the hints, with a task in `scope` for each, until cancelled.
  runtime::Task<void> run_hints(runtime::Scope& scope);

  void on_connected() { peers_changed_.set(); }
  void on_hints(SessionId id, const Session& session, const protocol::PeerHints& hints);
  void on_closed(SessionId id) { exchanged_.erase(id); }
  /// Dials a peer once, at the addresses that it named when it was last connected.
  void dial_once(const PeerEntry& entry);

 private:
  /// What the hints of one account may cause.
  struct Hinter {
    runtime::TokenBucket hints;
    runtime::Semaphore dials{kMaxDialsPerHinter};
  };
  struct PeerHintToDial {
    PeerId id;
    std::vector<net::SocketAddress> addresses;
    net::SocketAddress account = {};           ///< that the hint is charged to
    std::shared_ptr<Hinter> hinter = nullptr;  ///< null: the user here asked for it; the other side does not dial
  };
  /// The peers that one session has named.
  struct NamedPeers {
    std::set<PeerId> sent;
    std::set<PeerId> received;
  };

  void share();
  void share_with(SessionId id, const Session& session, const PeerEntry& to);
  bool is_settled(const PeerId& peer) const;
  std::shared_ptr<Hinter> hinter_of(const net::SocketAddress& account);
  runtime::Task<void> dial_hint(PeerHintToDial hint, runtime::CancellationToken token);

  runtime::Executor& executor_;
  const SessionProtocol& sessions_;
  SessionLinks& links_;
  const PeerTable& table_;
  const AccessLists& access_;
  Dialer& dialer_;
  Log log_;
  std::map<SessionId, NamedPeers> exchanged_;
  runtime::Event peers_changed_;
  std::deque<PeerHintToDial> hints_;
  std::set<PeerId> hinted_;  ///< peers whose hints wait or are being dialed
  FairShares<net::SocketAddress> shares_{kMaxHints};
  std::map<net::SocketAddress, std::shared_ptr<Hinter>> hinters_;
  runtime::Semaphore hint_dials_{kMaxHintDials};
  runtime::Event hints_changed_;
};

}  // namespace peer::sessions
