// Peers: the sessions with other peers, from the control loop's side: hellos, libraries, liveness, goodbyes.
//
// It owns the peer table. Every change that others care about goes out as an event; a burst of library changes as one.
// Loop: control.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "net/resolver.h"
#include "peer/events.h"
#include "peer/library_log.h"
#include "peer/peer_table.h"
#include "peer/session.h"
#include "runtime/scope.h"

namespace peer::node {

struct PeersOptions {
  PeerId self;
  std::string name;
  std::string instance;
  std::vector<std::string> addresses;  ///< of this peer's listeners
  rt::Duration ping = std::chrono::seconds(10);
  rt::Duration lost = std::chrono::seconds(25);
  net::Transport* transport = nullptr;
  net::Resolver* resolver = nullptr;
  Random* random = nullptr;
  EventSink on_event;
  std::function<void()> on_sources_changed;  ///< who offers what is no longer as it was
  Log log;
  PeersOptions() = default;
};

class Peers {
 public:
  Peers(rt::Scope& control, rt::Scope& net, PeersOptions options);

  /// For the net loop's sessions.
  SessionContext session_context() const { return context_; }
  PeerTable& table() noexcept { return table_; }
  const PeerTable& table() const noexcept { return table_; }
  std::vector<PeerInfo> list() const;

  /// Takes in what the sessions report, until cancelled. Runs from start to the very end: it sees the goodbyes through.
  rt::Task<void> run_inbox(rt::CancellationToken token);
  /// The service Liveness: pings the idle, drops the silent, forgets the long gone.
  rt::Task<void> run_liveness(rt::CancellationToken token);
  /// The service Discovery: dials the static peers, for ever, with back-off.
  rt::Task<void> run_static(rt::CancellationToken token);

  void add_static(const std::string& address);
  /// Dials now; answers with the peer as it then is.
  rt::Task<Result<PeerInfo>> connect(std::string address, rt::CancellationToken token);
  /// Says goodbye to one peer.
  Result<void> disconnect(const std::string& peer);

  /// What this peer offers has changed.
  void set_library(const std::vector<protocol::GameSummary>& games);

  /// Goodbye to every peer; returns when all sessions are over.
  rt::Task<void> say_goodbye(rt::CancellationToken token);

 private:
  struct Session {
    PeerId peer;
    bool inbound = false;
    net::SocketAddress remote;
    rt::Channel<protocol::SessionMessage>::Sender out;
    std::uint64_t dial = 0;
    std::shared_ptr<std::atomic<std::size_t>> backlog;
    rt::TimePoint opened{};
    bool greeted = false;    ///< its Hello was accepted
    bool closed = false;     ///< by us: nothing it says counts any more
    std::uint64_t told = 0;  ///< our revision that it knows or is being told
    rt::TimePoint ping_sent{};
    std::uint64_t ping_nonce = 0;
    std::optional<rt::TimePoint> library_asked;
    double answers_left = 0;  ///< a token bucket for its library requests
    rt::TimePoint answered{};
  };
  struct Static {
    std::string address;
    std::optional<PeerId> id;  ///< once known
    PeerState state = PeerState::connecting;
    std::string error;
    bool started = false;
    std::uint64_t dial = 0;        ///< the session being dialled; 0: none
    bool greeted = false;          ///< it came to a Hello
    std::optional<Error> verdict;  ///< why that one is not kept
    rt::Event kick;                ///< do not wait for the next attempt
  };

  // peers.cc
  void take_in(SessionReport report);
  void on_report(SessionReport report);
  void on_opened(SessionOpened opened);
  void on_closed(const SessionClosed& closed);
  void send(Session& session, protocol::SessionMessage message);
  void send_updates(Session& session, std::uint64_t since);
  void close(SessionId id);
  void lose(PeerEntry& entry, PeerEvent::Kind kind);
  bool has_successor(const PeerId& peer) const;
  void emit(PeerEvent::Kind kind, const PeerEntry& entry);
  void wake_waiters();
  void catalogue_changed();
  rt::Task<void> announce_catalogue(rt::CancellationToken token);
  // peer_messages.cc
  protocol::Hello hello() const;
  void on_message(SessionId id, Session& session, protocol::SessionMessage message);
  void on_refusal(SessionId id, Session& session, const protocol::Refusal& refusal);
  void on_hello(SessionId id, Session& session, protocol::Hello hello);
  bool acceptable(SessionId id, Session& session, const protocol::Hello& hello);
  bool keeps_other(const PeerEntry& entry, const Session& session) const;
  void learn_addresses(PeerEntry& entry, const Session& session, const protocol::Hello& hello) const;
  void on_library_request(SessionId id, Session& session, const protocol::LibraryRequest& request);
  void on_update(Session& session, PeerEntry& entry, const protocol::LibraryUpdate& update);
  void ask_library(Session& session, std::uint64_t since);
  // liveness.cc
  void ping(Session& session);
  void check_liveness();
  // static_peers.cc
  Static* dialled_by(const Session& session);
  bool connected(const Static& target) const;
  PeerInfo info(const PeerEntry& entry) const;
  rt::Task<void> keep_static(Static& target, rt::CancellationToken token);
  rt::Task<void> wait_retry(Static& target, rt::Duration delay, rt::CancellationToken token);
  rt::Task<Error> dial_once(Static& target, rt::CancellationToken token);
  rt::Task<Error> hold_session(net::SocketAddress address, std::uint64_t dial, rt::CancellationToken token);

  rt::Scope& control_;
  rt::Scope& net_;
  PeersOptions options_;
  Log log_;
  rt::Channel<SessionReport> inbox_;
  SessionContext context_;
  PeerTable table_;
  LibraryLog library_;
  std::map<SessionId, Session> sessions_;
  std::vector<std::unique_ptr<Static>> statics_;
  std::uint64_t next_dial_ = 1;
  rt::Event statics_changed_;
  rt::Event changed_;  ///< a peer came or went: set and reset for its waiters
  rt::Event catalogue_dirty_;
  rt::Event sessions_over_;
  bool leaving_ = false;
};

}  // namespace peer::node
