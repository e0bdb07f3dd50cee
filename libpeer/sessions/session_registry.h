// SessionRegistry: the open sessions and the pending actions. The parts of SessionProtocol share it.
//
// It sends nothing itself: send(), close() and similar functions append actions, and poll() returns them in order.
// Loop: control.
// Owns: no resources; the table must outlive it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "libpeer/base/log.h"
#include "libpeer/sessions/peer_table.h"
#include "libpeer/sessions/session.h"
#include "libpeer/sessions/session_actions.h"

namespace peer::sessions {

class SessionRegistry {
 public:
  SessionRegistry(PeerTable& table, Log log) : table_(table), log_(std::move(log)) {}

  Session& add(SessionId id, Session session);
  /// The session has ended. Its peer is lost unless another session replaces this one.
  void remove(SessionId id, const Error& reason);
  Session* find(SessionId id);
  const Session* find(SessionId id) const;
  std::map<SessionId, Session>& all() noexcept { return sessions_; }
  const std::map<SessionId, Session>& all() const noexcept { return sessions_; }

  /// Does nothing if the session has been closed from this side.
  void send(SessionId id, const Session& session, protocol::SessionMessage message);
  void close(SessionId id);
  /// Closes the session that resulted from a dial.
  void close_dialed(std::uint64_t dial);
  /// Refuses and closes every session with `peer`.
  void refuse(const PeerId& peer, const std::string& reason);
  /// Says goodbye in every session. From now on no events are reported.
  void leave();
  bool leaving() const noexcept { return leaving_; }

  /// The peer is no longer connected: drops its games and reports it. A goodbye also removes its entry.
  void lose(PeerEntry& entry, api::PeerEvent::Kind kind);
  void report(api::PeerEvent::Kind kind, const PeerId& peer, const std::string& name, const std::string& reason = {});
  void push(SessionAction action) { actions_.push_back(std::move(action)); }
  std::optional<SessionAction> poll();

 private:
  bool has_successor(const PeerId& peer) const;

  PeerTable& table_;
  Log log_;
  std::map<SessionId, Session> sessions_;
  std::deque<SessionAction> actions_;
  bool leaving_ = false;
};

}  // namespace peer::sessions
