// Peers: the sessions with other peers, from the control loop's side: hellos, libraries, liveness, goodbyes.
//
// It owns the peer table. Every change that others care about goes out as an event; a burst of library changes as one.
// Loop: control.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libpeer/api/events.h"
#include "libpeer/base/log.h"
#include "libpeer/base/random.h"
#include "libpeer/net/resolver.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/token_bucket.h"
#include "libpeer/sessions/library_log.h"
#include "libpeer/sessions/peer_table.h"
#include "libpeer/sessions/session.h"

namespace peer::sessions {

struct PeersOptions {
  PeerId self;
  std::string name;
  std::string instance;
  std::vector<std::string> addresses;  ///< of this peer's listeners
  runtime::Duration ping = std::chrono::seconds(10);
  runtime::Duration lost = std::chrono::seconds(25);
  access::AccessMode access = access::AccessMode::open;
  access::Gate* gate = nullptr;  ///< for the net loop's sessions; null: everyone is admitted
  net::Transport* transport = nullptr;
  net::Resolver* resolver = nullptr;
  Random* random = nullptr;
  api::EventSink on_event;
  std::function<void(const PeerId&)> look_again;  ///< asks mDNS for the peer's addresses anew; empty: there is none
  std::function<void()> on_sources_changed;       ///< who offers what is no longer as it was
  std::function<void()> on_bans_changed;
  std::function<void()> on_pairings_changed;
  Log log;
  PeersOptions() = default;
};

struct Ban {
  std::string name;  ///< as it was called then
  std::string reason;
  bool operator==(const Ban&) const = default;
};

class Peers final : public transfer::HoldingsSink {
 public:
  Peers(runtime::Scope& control, runtime::Scope& net, PeersOptions options);

  /// For the net loop's sessions.
  SessionContext session_context() const { return context_; }
  PeerTable& table() noexcept { return table_; }
  const PeerTable& table() const noexcept { return table_; }
  std::vector<api::PeerInfo> list() const;

  /// Takes in what the sessions report, until cancelled. Runs from start to the very end: it sees the goodbyes through.
  runtime::Task<void> run_inbox(runtime::CancellationToken token);
  /// The service Liveness: pings the idle, drops the silent, forgets the long gone.
  runtime::Task<void> run_liveness(runtime::CancellationToken token);
  /// The service Discovery, as far as it dials: the static peers for ever with back-off, those that mDNS names for as
  /// long as it does, and once whoever other peers name. Sessions that come of it go on when it ends.
  runtime::Task<void> run_static(runtime::CancellationToken token);

  /// Of the configuration: dialled for as long as the daemon runs.
  void add_configured(const std::string& address);
  /// What mDNS says of a peer: every address known now; none: no record names it any more. Nothing of it is proven.
  void set_found(const PeerId& id, const std::string& name, std::vector<net::SocketAddress> addresses);
  /// This machine's addresses are others now: sessions are probed, and whoever is to be dialled is dialled at once.
  void network_changed(std::vector<std::string> addresses);
  /// Of what this peer offers, as it is announced.
  std::uint64_t revision() const noexcept { return library_.revision(); }
  /// Dials now; answers with the peer as it then is. Fails, and adds nothing, if the name cannot be resolved.
  runtime::Task<Result<api::PeerInfo>> connect(std::string address, runtime::CancellationToken token);
  /// Says goodbye to one peer, and undoes connect().
  Result<api::Disconnected> disconnect(const std::string& peer);

  /// Ends its session and refuses it from now on; told by PeerBanned. What is banned already stays as it is.
  void ban(const PeerId& peer, const std::string& reason, const std::string& name = {});
  Result<PeerId> find_to_ban(const std::string& peer) const;
  Result<void> unban(const std::string& peer);
  const std::map<PeerId, Ban>& banned() const noexcept { return banned_; }
  /// From the last run: nothing is told.
  void restore_ban(const PeerId& peer, Ban ban) { banned_.insert_or_assign(peer, std::move(ban)); }

  /// Whom paired mode lets in, besides itself. What is paired or not already stays so.
  Result<api::Pairing> pair(const std::string& peer);
  /// Ends its session, in paired mode.
  Result<api::Pairing> unpair(const std::string& peer);
  /// Dials it at once, where that is to be done at all.
  void dial_paired(const PeerId& peer);
  /// With the name it went by last.
  const std::map<PeerId, std::string>& paired() const noexcept { return paired_; }
  void restore_pairing(const PeerId& peer, std::string name) { paired_.insert_or_assign(peer, std::move(name)); }

  /// What this peer downloads, and has of it so far.
  void holdings_begin(const std::string& game, const Digest& version, const std::vector<bool>& have) override;
  void holdings_grow(const std::string& game, std::uint64_t first, std::uint64_t count) override;
  void holdings_end(const std::string& game) override;

  /// What this peer offers has changed.
  void set_library(const std::vector<protocol::GameSummary>& games);

  /// Goodbye to every peer; returns when all sessions are over.
  runtime::Task<void> say_goodbye(runtime::CancellationToken token);

 private:
  struct Session {
    PeerId peer;
    bool inbound = false;
    net::SocketAddress remote;
    runtime::Channel<protocol::SessionMessage>::Sender out;
    std::uint64_t dial = 0;
    std::shared_ptr<std::atomic<std::size_t>> backlog;
    runtime::TimePoint opened{};
    bool greeted = false;    ///< its Hello was accepted
    bool closed = false;     ///< by us: nothing it says counts any more
    std::uint64_t told = 0;  ///< our revision that it knows or is being told
    runtime::TimePoint ping_sent{};
    std::uint64_t ping_nonce = 0;
    std::optional<runtime::TimePoint> library_asked;
    runtime::TokenBucket library_requests;  ///< that it may still make
    runtime::TokenBucket holdings;          ///< that it may still tell
    std::set<PeerId> named_to;              ///< peers that it was told of
    std::set<PeerId> named_by;              ///< peers that it told of
    /// Games that it is downloading as well, in the same version: it is told what we have.
    std::set<std::string> follows;
  };
  /// One attempt to reach a peer, and the session that comes of it. Whoever began it may be gone before it is over.
  struct Dial {
    std::uint64_t number = 0;
    std::string found_by;
    bool counted = false;          ///< among the contacts with strangers under way
    bool dropped = false;          ///< nobody wants it any more: no session is to come of it
    std::optional<PeerId> id;      ///< who answered
    bool greeted = false;          ///< it came to a Hello
    runtime::TimePoint met{};      ///< when it did
    std::optional<Error> verdict;  ///< why the session is not kept
    Error reason{ErrorCode::unreachable, "the daemon is stopping", 0};
    runtime::Event settled;  ///< greeted or over
    runtime::Event over;
  };
  static constexpr runtime::Duration kFirstDelay = std::chrono::seconds(1);
  /// A peer to be kept connected.
  struct Target {
    std::string found_by;                       ///< static or mdns
    std::string address;                        ///< HOST[:PORT] of a static one; for mdns its name
    bool configured = false;                    ///< static: not only for this run
    std::vector<net::SocketAddress> addresses;  ///< that mDNS tells
    std::vector<net::SocketAddress> resolved;   ///< static: what the address led to last
    std::optional<PeerId> id;                   ///< static: once known; mdns: as claimed
    api::PeerState state = api::PeerState::connecting;
    std::string error;
    bool started = false;
    bool gone = false;   ///< no record names it any more; static: dropped
    bool ended = false;  ///< and its task has ended
    std::shared_ptr<Dial> dial;
    runtime::Duration delay{};  ///< until the next attempt, if this one fails
    runtime::Event kick;        ///< do not wait for the next attempt
  };
  /// What we have of a version that is being downloaded here.
  struct Own {
    Digest version;
    std::vector<bool> have;
    std::vector<protocol::HeldRun> news;     ///< not told yet
    std::optional<runtime::TimePoint> over;  ///< since when it is no longer being downloaded
  };
  /// Whom another peer named.
  struct Hint {
    PeerId id;
    std::vector<net::SocketAddress> addresses;
    bool asked = false;  ///< a person here wants it back: it does not dial by itself
  };

  // peers.cc
  void take_in(SessionReport report);
  void on_report(SessionReport report);
  void on_opened(SessionOpened opened);
  void on_closed(const SessionClosed& closed);
  void send(Session& session, protocol::SessionMessage message);
  void send_updates(Session& session, std::uint64_t since);
  void close(SessionId id);
  void lose(PeerEntry& entry, api::PeerEvent::Kind kind);
  bool has_successor(const PeerId& peer) const;
  void emit(api::PeerEvent::Kind kind, const PeerEntry& entry);
  void wake_waiters();
  void catalogue_changed();
  runtime::Task<void> announce_catalogue(runtime::CancellationToken token);
  // peer_messages.cc
  protocol::Hello hello() const;
  void on_message(SessionId id, Session& session, protocol::SessionMessage message);
  void on_refusal(SessionId id, Session& session, const protocol::Refusal& refusal);
  void met(Dial& dial, const PeerId& peer);
  void on_hello(SessionId id, Session& session, protocol::Hello hello);
  bool acceptable(SessionId id, Session& session, const protocol::Hello& hello);
  bool just_heard(const PeerEntry& entry) const;
  bool keeps_other(const PeerEntry& entry, const Session& session) const;
  void learn_addresses(PeerEntry& entry, const Session& session, const protocol::Hello& hello) const;
  static void add_addresses(PeerEntry& entry, const std::vector<net::SocketAddress>& addresses);
  void on_library_request(SessionId id, Session& session, const protocol::LibraryRequest& request);
  void on_update(Session& session, PeerEntry& entry, const protocol::LibraryUpdate& update);
  void ask_library(Session& session, std::uint64_t since);
  // pairings.cc
  bool admits(const PeerId& peer) const;
  void on_denied(const PeerId& peer, const net::SocketAddress& remote, Dial* dial, Error reason);
  void on_turned_away(const SessionDenied& denied);
  Result<PeerId> find_to_pair(const std::string& peer) const;
  void note_name(const PeerId& peer, const std::string& name);
  // liveness.cc
  void ping(Session& session);
  runtime::Duration ping_after(const PeerEntry& entry) const;
  void check_liveness();
  // dialling.cc
  Dial* dial_of(const Session& session);
  std::shared_ptr<Dial> begin_dial(const net::SocketAddress& address, std::optional<PeerId> expected,
                                   const std::string& found_by, bool counted);
  runtime::Task<void> hold_session(net::SocketAddress address, std::optional<PeerId> expected,
                                   std::shared_ptr<Dial> dial, runtime::CancellationToken token);
  void contact_made(Dial& dial);
  runtime::Task<void> wait_contact(runtime::CancellationToken token);
  bool is_connected(const PeerId& id) const;
  // connecting.cc
  std::shared_ptr<Target> add_static(const std::string& address);
  const Target* static_target(const std::string& address) const;
  std::optional<PeerId> static_id(const std::string& address) const;
  void drop(Target& target);
  // static_peers.cc
  bool connected(const Target& target) const { return target.id && is_connected(*target.id); }
  api::PeerInfo info(const PeerEntry& entry) const;
  void start_targets(runtime::Scope& scope);
  runtime::Task<void> keep(Target& target, runtime::CancellationToken token);
  runtime::Task<void> keep_connected(Target& target, runtime::CancellationToken token);
  runtime::Task<void> wait_retry(Target& target, runtime::Duration delay, runtime::CancellationToken token);
  bool refused_by_peer(const Target& target) const;
  runtime::Duration retry_after(const Target& target, bool refused, runtime::Duration delay) const;
  runtime::Task<Error> dial_once(Target& target, runtime::CancellationToken token);
  // network_change.cc
  runtime::Task<void> probe_sessions(runtime::CancellationToken token);
  bool is_silent(const PeerId& peer, SessionId session, runtime::TimePoint since) const;
  runtime::Task<void> find_again(PeerId peer, SessionId session, runtime::TimePoint since,
                                 runtime::CancellationToken token);
  // exchange.cc
  static std::optional<protocol::PeerHint> hint_about(const PeerEntry& entry, const Session& to);
  void share_peers();
  runtime::Task<void> share_when_changed(runtime::CancellationToken token);
  void on_hints(Session& session, const protocol::PeerHints& hints);
  runtime::Task<void> receive_reports(runtime::Scope& scope);
  runtime::Task<void> keep_targets(runtime::Scope& scope);
  runtime::Task<void> run_hints(runtime::Scope& scope);
  void dial_again(const PeerEntry& entry);
  runtime::Task<void> try_hint(Hint hint, runtime::CancellationToken token);

  // holdings.cc
  void on_holdings(Session& session, PeerEntry& entry, const protocol::Holdings& holdings);
  void on_holdings_end(Session& session, PeerEntry& entry, const protocol::HoldingsEnd& end);
  void greet_with_holdings(Session& session);
  void forget_holdings_offered(Session& session, PeerEntry& entry);
  void tell_runs(Session& session, const std::string& game, const Own& own, const std::vector<protocol::HeldRun>& runs);
  void tell_all_held(Session& session, const std::string& game, const Own& own);
  void tell_holdings();
  void end_own(const std::string& game, bool tell);
  runtime::Task<void> share_holdings(runtime::CancellationToken token);

  runtime::Scope& control_;
  runtime::Scope& net_;
  PeersOptions options_;
  Log log_;
  runtime::Channel<SessionReport> inbox_;
  SessionContext context_;
  PeerTable table_;
  LibraryLog library_;
  std::map<PeerId, Ban> banned_;
  std::map<PeerId, std::string> paired_;
  std::map<SessionId, Session> sessions_;
  std::vector<std::shared_ptr<Target>> targets_;
  runtime::Event targets_changed_;
  runtime::Scope* dialled_ = nullptr;  ///< where dials run; none before the inbox runs and after
  std::map<std::uint64_t, std::shared_ptr<Dial>> dials_;
  std::uint64_t next_dial_ = 1;
  std::size_t contacts_ = 0;  ///< with strangers, under way
  runtime::Event contact_free_;
  std::deque<Hint> hints_;
  std::set<PeerId> hinted_;  ///< waiting, or being tried
  runtime::Event hints_changed_;
  std::uint64_t network_changes_ = 0;
  std::set<PeerId> sought_;       ///< connected, silent, and dialled anew
  runtime::Event peers_changed_;  ///< somebody is to be told of somebody
  runtime::Event changed_;        ///< a peer came or went: set and reset for its waiters
  runtime::Event catalogue_dirty_;
  std::map<std::string, Own> own_;  ///< by game
  std::uint64_t holdings_revision_ = 0;
  runtime::Event holdings_changed_;
  runtime::Event sessions_over_;
  bool leaving_ = false;
};

}  // namespace peer::sessions
