#include "libpeer/sessions/session_registry.h"

#include <algorithm>

namespace peer::sessions {

Session& SessionRegistry::add(SessionId id, Session session) {
  return sessions_.emplace(id, std::move(session)).first->second;
}

void SessionRegistry::remove(SessionId id, const Error& reason) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  const PeerId peer = found->second.peer;
  sessions_.erase(found);
  log_.peer(peer.hex()).debug("session with " + peer.brief() + " ended: " + reason.message);
  PeerEntry* entry = table_.find(peer);
  if (entry == nullptr) return;
  if (entry->session == id) entry->session.reset();
  if (!entry->session && entry->state == api::PeerState::connected && !has_successor(peer))
    lose(*entry, api::PeerEvent::Kind::lost);
}

/// Of two sessions dialed at once, the peer may close one before its Hello on the other has arrived. Such a peer is not
/// lost.
bool SessionRegistry::has_successor(const PeerId& peer) const {
  return std::ranges::any_of(sessions_, [&](const auto& each) {
    const Session& session = each.second;
    return session.peer == peer && !session.greeted && !session.closed;
  });
}

Session* SessionRegistry::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}
const Session* SessionRegistry::find(SessionId id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

void SessionRegistry::send(SessionId id, const Session& session, protocol::SessionMessage message) {
  if (!session.closed) push(SendMessage{id, std::move(message)});
}

void SessionRegistry::close(SessionId id) {
  Session* const session = find(id);
  if (session == nullptr) return;
  session->closed = true;
  push(CloseSession{id});
}

void SessionRegistry::close_dialed(std::uint64_t dial) {
  for (const auto& [id, session] : sessions_) {
    if (session.dial == dial) close(id);
  }
}

void SessionRegistry::refuse(const PeerId& peer, const std::string& reason) {
  for (const auto& [id, session] : sessions_) {
    if (session.peer != peer || session.closed) continue;
    send(id, session, protocol::Refusal{reason});
    close(id);
  }
}

void SessionRegistry::leave() {
  leaving_ = true;
  for (const auto& [id, session] : sessions_) {
    push(SendMessage{id, protocol::Goodbye{"stopping"}, true});
    push(CloseSession{id});
  }
}

void SessionRegistry::lose(PeerEntry& entry, api::PeerEvent::Kind kind) {
  const bool was_connected = entry.state == api::PeerState::connected;
  const bool had_games = !entry.library.games.empty();
  entry.session.reset();
  entry.library.forget();
  entry.holdings.clear();
  entry.rtt_ms.reset();
  entry.state = api::PeerState::unreachable;
  const bool goodbye = kind == api::PeerEvent::Kind::goodbye;
  if (was_connected && !leaving_) {
    log_.peer(entry.id.hex())
        .info(entry.name + " (" + entry.id.brief() + ") " + (goodbye ? "said goodbye" : "is lost"));
    report(kind, entry.id, entry.name);
  }
  if (goodbye) table_.erase(entry.id);
  if (had_games) push(CatalogueChanged{});
  push(PeerStateChanged{});
}

void SessionRegistry::report(api::PeerEvent::Kind kind, const PeerId& peer, const std::string& name,
                             const std::string& reason) {
  push(ReportPeerEvent{api::PeerEvent{kind, peer, name, reason}});
}

std::optional<SessionAction> SessionRegistry::poll() {
  if (actions_.empty()) return std::nullopt;
  std::optional<SessionAction> next(std::move(actions_.front()));
  actions_.pop_front();
  return next;
}

}  // namespace peer::sessions
