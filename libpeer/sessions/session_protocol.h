// SessionProtocol: the messages in the sessions with other peers, as a state machine without I/O.
//
// The inputs are reports, time and randomness. poll() returns the resulting actions in the order in which they must be
// carried out. The machine accepts or refuses peers, exchanges libraries (LibrarySync), detects peers that are
// unreachable (Liveness), and keeps the peer table current.
// Loop: control.
// Owns: no resources; the table and the access lists must outlive it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libpeer/sessions/access_lists.h"
#include "libpeer/sessions/library_sync.h"
#include "libpeer/sessions/liveness.h"
#include "libpeer/sessions/session_registry.h"

namespace peer::sessions {

struct SessionProtocolOptions {
  PeerId self;
  std::string name;
  std::string instance;
  std::vector<std::string> addresses;  ///< of this peer's listeners
  runtime::Duration ping = std::chrono::seconds(10);
  runtime::Duration lost = std::chrono::seconds(25);
  Random* random = nullptr;
  /// The address is in the network of one of this machine's interfaces; empty: only private addresses count.
  std::function<bool(const net::SocketAddress& address, runtime::TimePoint now)> is_on_link;
  Log log;
  SessionProtocolOptions() = default;
};

/// A peer that one side does not admit.
struct PeerDenial {
  PeerId peer;
  net::SocketAddress remote;
  std::string found_by;
  std::uint64_t dial;  ///< 0: the peer dialed
  Error reason;
};

class SessionProtocol {
 public:
  SessionProtocol(SessionProtocolOptions options, PeerTable& table, const AccessLists& access);

  // What has happened.

  /// `wanted`: the dial was not dropped after it began.
  void on_opened(SessionId id, Session opened, bool wanted, runtime::TimePoint now);
  void on_message(SessionId id, protocol::SessionMessage message, runtime::TimePoint now);
  void on_closed(SessionId id, const Error& reason) { registry_.remove(id, reason); }
  /// The session's channel was closed because the peer does not read.
  void on_stalled(SessionId id);
  /// A dial found that one side does not admit the other.
  void on_denied(const PeerDenial& denial, runtime::TimePoint now);
  /// The gate did not admit a peer that dialed this one.
  void on_turned_away(const SessionDenied& denied, runtime::TimePoint now);
  void on_banned(const PeerId& peer, const Ban& ban);
  void on_unpaired(const PeerId& peer);

  // What to do.

  runtime::Duration liveness_interval() const { return liveness_.interval(); }
  void check_liveness(const std::function<bool(const PeerId&)>& is_kept, runtime::TimePoint now) {
    liveness_.check(is_kept, now);
    library_.verify(now);
  }
  std::vector<std::pair<PeerId, SessionId>> probe(runtime::TimePoint now) { return liveness_.probe(now); }
  /// False if nothing has changed.
  bool set_library(const std::vector<protocol::GameSummary>& games) { return library_.set_own(games); }
  void set_addresses(std::vector<std::string> addresses) { options_.addresses = std::move(addresses); }
  /// Says goodbye to one peer, if it has a session. False if it has none.
  bool disconnect(const PeerId& peer);
  void close(SessionId id) { registry_.close(id); }
  void close_dialed(std::uint64_t dial) { registry_.close_dialed(dial); }
  /// Says goodbye to every peer. From now on every new session is closed at once.
  void leave() { registry_.leave(); }

  /// The next action; nothing if every action has been returned.
  std::optional<SessionAction> poll() { return registry_.poll(); }

  const std::map<SessionId, Session>& all() const noexcept { return registry_.all(); }
  const Session* find(SessionId id) const { return registry_.find(id); }
  /// Revision of this peer's library, as announced to peers.
  std::uint64_t revision() const noexcept { return library_.own().revision(); }
  std::uint64_t revision_of(const std::vector<protocol::GameSummary>& games) const {
    return library_.own().revision_of(games);
  }
  /// The checks of other peers' libraries.
  const DigestBudget& digests() const noexcept { return library_.digests(); }
  bool leaving() const noexcept { return registry_.leaving(); }

 private:
  protocol::Hello hello() const;
  void on_hello(SessionId id, Session& session, const protocol::Hello& hello, runtime::TimePoint now);
  std::optional<std::string> reason_to_refuse(const Session& session, const protocol::Hello& hello,
                                              runtime::TimePoint now);
  bool keeps_other(const PeerEntry& entry, const Session& session, runtime::TimePoint now) const;
  void greet(SessionId id, Session& session, const protocol::Hello& hello, bool restarted, runtime::TimePoint now);
  void on_refusal(SessionId id, const Session& session, const protocol::Refusal& refusal, runtime::TimePoint now);
  void refuse_dial(const Session& session, const std::string& reason);
  bool too_many_strangers() const;

  SessionProtocolOptions options_;
  PeerTable& table_;
  const AccessLists& access_;
  SessionRegistry registry_;
  LibrarySync library_;
  Liveness liveness_;
};

}  // namespace peer::sessions
