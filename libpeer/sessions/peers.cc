#include "libpeer/sessions/peers.h"

#include <algorithm>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/with_scope.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kInboxCapacity = 4096;
constexpr runtime::Duration kCatalogueDebounce = 100ms;

SessionId session_of(const SessionReport& report) {
  return std::visit([](const auto& each) { return each.session; }, report);
}
}  // namespace

Peers::Peers(runtime::Scope& control, runtime::Scope& net, PeersOptions options)
    : control_(control),
      net_(net),
      options_(std::move(options)),
      log_(options_.log.named("peers")),
      inbox_(control.executor(), kInboxCapacity),
      context_(&net, inbox_.sender(), options_.gate) {
  table_.set_named([this](const std::string& address) -> std::optional<PeerTable::Named> {
    const Target* target = static_target(address);
    if (target == nullptr) return std::nullopt;
    return PeerTable::Named{target->id};
  });
}

api::PeerInfo Peers::info(const PeerEntry& entry) const {
  api::PeerInfo info;
  info.id = entry.id;
  info.name = entry.name;
  for (const net::SocketAddress& address : entry.addresses) info.addresses.push_back(address.to_string());
  info.state = banned_.contains(entry.id) ? api::PeerState::banned : entry.state;
  if (info.state == api::PeerState::refused) info.reason = entry.refusal;
  info.paired = paired_.contains(entry.id);
  info.found_by.assign(entry.found_by.begin(), entry.found_by.end());
  info.games = entry.games.size();
  info.rtt_ms = entry.rtt_ms;
  info.last_seen_s = std::chrono::duration<double>(control_.executor().now() - entry.last_seen).count();
  return info;
}

std::vector<api::PeerInfo> Peers::list() const {
  std::vector<api::PeerInfo> all;
  for (const auto& [id, entry] : table_.all()) all.push_back(info(entry));
  for (const auto& [id, ban] : banned_) {
    if (table_.find(id) != nullptr) continue;
    api::PeerInfo away;
    away.id = id;
    away.name = ban.name;
    away.state = api::PeerState::banned;
    away.paired = paired_.contains(id);
    all.push_back(std::move(away));
  }
  std::set<PeerId> named;
  for (const auto& target : targets_) {
    if (target->gone || (target->id && (table_.find(*target->id) != nullptr || banned_.contains(*target->id) ||
                                        *target->id == options_.self)))
      continue;
    api::PeerInfo unknown;
    unknown.name = target->address;
    // What mDNS claims is not known; but whoever is to be paired has to be named.
    if (target->found_by == "static" || options_.access == access::AccessMode::paired) unknown.id = target->id;
    unknown.paired = target->id && paired_.contains(*target->id);
    named.insert(target->id.value_or(options_.self));
    const auto& addresses = target->found_by == "static" ? target->resolved : target->addresses;
    for (const net::SocketAddress& address : addresses) unknown.addresses.push_back(address.to_string());
    unknown.state = target->state;
    if (target->state == api::PeerState::refused) unknown.reason = target->error;
    unknown.found_by.push_back(target->found_by);
    all.push_back(std::move(unknown));
  }
  for (const auto& [id, name] : paired_) {
    if (table_.find(id) != nullptr || banned_.contains(id) || named.contains(id)) continue;
    api::PeerInfo away;
    away.id = id;
    away.name = name;
    away.state = api::PeerState::unreachable;
    away.paired = true;
    all.push_back(std::move(away));
  }
  return all;
}

void Peers::emit(api::PeerEvent::Kind kind, const PeerEntry& entry) {
  options_.on_event(api::PeerEvent{kind, entry.id, entry.name, {}});
}

void Peers::wake_waiters() {
  changed_.set();
  changed_.reset();
}

void Peers::catalogue_changed() {
  catalogue_dirty_.set();
  options_.on_sources_changed();
}

// One event for a burst of changes.
runtime::Task<void> Peers::announce_catalogue(runtime::CancellationToken token) {
  for (;;) {
    co_await catalogue_dirty_.wait(token);
    co_await runtime::sleep_for(control_.executor(), kCatalogueDebounce, token);
    catalogue_dirty_.reset();
    options_.on_event(api::GamesUpdated{});
  }
}

runtime::Task<void> Peers::run_inbox(runtime::CancellationToken token) {
  const auto receive = [this](runtime::Scope& scope) { return receive_reports(scope); };
  co_await runtime::with_scope(control_, "peers", receive, token);
}

runtime::Task<void> Peers::receive_reports(runtime::Scope& scope) {
  scope.spawn("catalogue", announce_catalogue(scope.token()));
  scope.spawn("exchange", share_when_changed(scope.token()));
  scope.spawn("holdings", share_holdings(scope.token()));
  dialled_ = &scope;
  const runtime::Defer end([this] { dialled_ = nullptr; });
  targets_changed_.set();
  while (auto report = co_await inbox_.receive(scope.token())) {
    PEER_FAULT_POINT("inbox");
    take_in(std::move(*report));
  }
}

/// What goes wrong over one report ends the session that sent it, and nothing else.
void Peers::take_in(SessionReport report) {
  const SessionId id = session_of(report);
  try {
    on_report(std::move(report));
  } catch (const std::exception& e) {
    log_.error("a session's message could not be handled, the session is closed: " + std::string(e.what()));
    close(id);
  }
}

void Peers::on_report(SessionReport report) {
  if (auto* opened = std::get_if<SessionOpened>(&report)) {
    on_opened(std::move(*opened));
  } else if (auto* received = std::get_if<SessionReceived>(&report)) {
    const auto session = sessions_.find(received->session);
    if (session == sessions_.end()) return;
    session->second.backlog->fetch_sub(1);
    PEER_FAULT_POINT("session message");
    // A Goodbye counts even if its session has ended already, so that an answer to what came before could not be sent.
    const bool goodbye = std::holds_alternative<protocol::Goodbye>(received->message);
    if (goodbye || !session->second.closed) on_message(session->first, session->second, std::move(received->message));
  } else if (auto* closed = std::get_if<SessionClosed>(&report)) {
    on_closed(*closed);
  } else if (auto* denied = std::get_if<SessionDenied>(&report)) {
    on_turned_away(*denied);
  }
}

void Peers::on_opened(SessionOpened opened) {
  Session session{opened.peer,           opened.inbound, opened.remote,
                  std::move(opened.out), opened.dial,    std::move(opened.backlog)};
  session.opened = control_.executor().now();
  Session& held = sessions_.emplace(opened.session, std::move(session)).first->second;
  if (Dial* dial = dial_of(held)) contact_made(*dial);
  sessions_over_.reset();
  if (leaving_) {
    close(opened.session);
    return;
  }
  if (banned_.contains(held.peer)) {
    // Before any Hello, which would make us its peer for a moment.
    if (Dial* dial = dial_of(held)) {
      met(*dial, held.peer);
      dial->verdict = Error{ErrorCode::refused, "it is banned here", 0};
    }
    send(held, protocol::Refusal{"this peer is banned here"});
    close(opened.session);
    return;
  }
  if (!admits(held.peer)) {
    // It was unpaired while it came in.
    send(held, protocol::Refusal{"this peer is not paired here"});
    close(opened.session);
    return;
  }
  if (const Dial* dial = dial_of(held); dial != nullptr && dial->dropped) {
    close(opened.session);
    return;
  }
  held.told = library_.revision();
  send(held, hello());
}

void Peers::on_closed(const SessionClosed& closed) {
  const auto found = sessions_.find(closed.session);
  if (found == sessions_.end()) return;
  const PeerId peer = found->second.peer;
  sessions_.erase(found);
  log_.peer(peer.hex()).debug("session with " + peer.brief() + " over: " + closed.reason.message);
  if (sessions_.empty()) sessions_over_.set();
  PeerEntry* entry = table_.find(peer);
  if (entry == nullptr) return;
  if (entry->session == closed.session) entry->session.reset();
  if (!entry->session && entry->state == api::PeerState::connected && !has_successor(peer))
    lose(*entry, api::PeerEvent::Kind::lost);
}

/// Of two sessions dialled at once the other side may close one before its Hello on the other is here: that peer is not
/// lost.
bool Peers::has_successor(const PeerId& peer) const {
  return std::ranges::any_of(sessions_, [&](const auto& each) {
    const Session& session = each.second;
    return session.peer == peer && !session.greeted && !session.closed;
  });
}

/// The peer is no longer connected: told once, its games go at once.
void Peers::lose(PeerEntry& entry, api::PeerEvent::Kind kind) {
  const bool was_connected = entry.state == api::PeerState::connected;
  const bool had_games = !entry.games.empty();
  entry.session.reset();
  PeerTable::forget_library(entry);
  entry.rtt_ms.reset();
  entry.state = api::PeerState::unreachable;
  if (was_connected && !leaving_) {
    log_.peer(entry.id.hex())
        .info(entry.name + " (" + entry.id.brief() + ") " +
              (kind == api::PeerEvent::Kind::goodbye ? "said goodbye" : "is lost"));
    emit(kind, entry);
  }
  if (kind == api::PeerEvent::Kind::goodbye) table_.erase(entry.id);
  if (had_games) catalogue_changed();
  wake_waiters();
}

void Peers::send(Session& session, protocol::SessionMessage message) {
  if (session.closed || session.out.try_send(std::move(message))) return;
  session.closed = true;  // it does not read: the session is of no use
  session.out.close();
}

void Peers::send_updates(Session& session, std::uint64_t since) {
  for (protocol::LibraryUpdate& update : library_.updates_since(since)) send(session, std::move(update));
  session.told = library_.revision();
}

/// What was sent before still goes out.
void Peers::close(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  found->second.closed = true;
  found->second.out.close();
}

void Peers::set_library(const std::vector<protocol::GameSummary>& games) {
  if (!library_.set(games)) return;
  for (auto& [id, session] : sessions_) {
    if (session.greeted) send_updates(session, session.told);
  }
  // Whoever hears that it is offered forgets that it was being downloaded.
  for (const protocol::GameSummary& game : games) {
    const auto own = own_.find(game.id);
    if (own != own_.end() && own->second.over && own->second.version == game.version) end_own(game.id, false);
  }
}

runtime::Task<void> Peers::say_goodbye(runtime::CancellationToken token) {
  leaving_ = true;
  for (auto& [id, session] : sessions_) {
    session.out.send_urgent(protocol::Goodbye{"stopping"});
    session.out.close();
  }
  if (!sessions_.empty()) co_await sessions_over_.wait(token);
}

}  // namespace peer::sessions
