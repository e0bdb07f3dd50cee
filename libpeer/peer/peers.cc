#include "peer/peers.h"

#include <algorithm>
#include <utility>

#include "protocol/path.h"
#include "runtime/sleep.h"

namespace peer::node {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kInboxCapacity = 4096;
constexpr rt::Duration kCatalogueDebounce = 100ms;
constexpr rt::Duration kLibraryAskInterval = 2s;
}  // namespace

Peers::Peers(rt::Scope& control, rt::Scope& net, PeersOptions options)
    : control_(control),
      net_(net),
      options_(std::move(options)),
      log_(options_.log.named("peers")),
      inbox_(control.executor(), kInboxCapacity),
      context_(&net, inbox_.sender()) {}

protocol::Hello Peers::hello() const {
  protocol::Hello hello;
  hello.id = options_.self;
  hello.name = options_.name;
  hello.instance = options_.instance;
  hello.addresses = options_.addresses;
  hello.revision = library_.revision();
  hello.digest = library_.digest();
  return hello;
}

PeerInfo Peers::info(const PeerEntry& entry) const {
  PeerInfo info;
  info.id = entry.id;
  info.name = entry.name;
  for (const net::SocketAddress& address : entry.addresses) info.addresses.push_back(address.to_string());
  info.state = entry.state;
  info.found_by.assign(entry.found_by.begin(), entry.found_by.end());
  info.games = entry.games.size();
  info.rtt_ms = entry.rtt_ms;
  info.last_seen_s = std::chrono::duration<double>(control_.executor().now() - entry.last_seen).count();
  return info;
}

std::vector<PeerInfo> Peers::list() const {
  std::vector<PeerInfo> all;
  for (const auto& [id, entry] : table_.all()) all.push_back(info(entry));
  for (const auto& target : statics_) {
    if (target->id && (table_.find(*target->id) != nullptr || *target->id == options_.self)) continue;
    PeerInfo unknown;
    unknown.id = target->id;
    unknown.name = target->address;
    unknown.addresses.push_back(target->address);
    unknown.state = target->state;
    unknown.found_by.emplace_back("static");
    all.push_back(std::move(unknown));
  }
  return all;
}

void Peers::emit(PeerEvent::Kind kind, const PeerEntry& entry) {
  options_.on_event(PeerEvent{kind, entry.id, entry.name, {}});
  changed_.set();
  changed_.reset();
}

void Peers::catalogue_changed() {
  catalogue_dirty_.set();
  options_.on_sources_changed();
}

// One event for a burst of changes.
rt::Task<void> Peers::announce_catalogue(rt::CancellationToken token) {
  for (;;) {
    co_await catalogue_dirty_.wait(token);
    co_await rt::sleep_for(control_.executor(), kCatalogueDebounce, token);
    catalogue_dirty_.reset();
    options_.on_event(GamesUpdated{});
  }
}

rt::Task<void> Peers::run_inbox(rt::CancellationToken token) {
  rt::Scope scope(control_, "peers", token);
  scope.spawn("catalogue", announce_catalogue(scope.token()));
  std::exception_ptr failure;
  try {
    while (auto report = co_await inbox_.receive(token)) on_report(std::move(*report));
  } catch (...) {
    failure = std::current_exception();
  }
  scope.request_stop();
  co_await scope.join();
  if (failure) std::rethrow_exception(failure);
}

void Peers::on_report(SessionReport report) {
  if (auto* opened = std::get_if<SessionOpened>(&report)) {
    on_opened(std::move(*opened));
  } else if (auto* received = std::get_if<SessionReceived>(&report)) {
    const auto session = sessions_.find(received->session);
    if (session != sessions_.end()) on_message(session->first, session->second, std::move(received->message));
  } else if (auto* closed = std::get_if<SessionClosed>(&report)) {
    on_closed(*closed);
  }
}

void Peers::on_opened(SessionOpened opened) {
  Session session{opened.peer, opened.inbound, opened.remote, std::move(opened.out)};
  Session& held = sessions_.emplace(opened.session, std::move(session)).first->second;
  sessions_over_.reset();
  if (leaving_) {
    close(opened.session);
    return;
  }
  send(held, hello());
}

void Peers::on_closed(const SessionClosed& closed) {
  const auto found = sessions_.find(closed.session);
  if (found == sessions_.end()) return;
  const PeerId peer = found->second.peer;
  sessions_.erase(found);
  log_.debug("session with " + peer.brief() + " over: " + closed.reason.message);
  PeerEntry* entry = table_.find(peer);
  if (entry != nullptr && entry->session == closed.session) lose(*entry, PeerEvent::Kind::lost);
  if (sessions_.empty()) sessions_over_.set();
}

/// The peer is no longer connected: told once, its games go at once.
void Peers::lose(PeerEntry& entry, PeerEvent::Kind kind) {
  const bool was_connected = entry.state == PeerState::connected;
  const bool had_games = !entry.games.empty();
  entry.session.reset();
  entry.games.clear();
  entry.revision = 0;
  entry.rtt_ms.reset();
  entry.state = PeerState::unreachable;
  if (was_connected && !leaving_) {
    log_.info(entry.name + " (" + entry.id.brief() + ") " +
              (kind == PeerEvent::Kind::goodbye ? "said goodbye" : "is lost"));
    emit(kind, entry);
  }
  if (kind == PeerEvent::Kind::goodbye) table_.erase(entry.id);
  if (had_games) catalogue_changed();
}

void Peers::send(Session& session, protocol::SessionMessage message) {
  session.last_sent = control_.executor().now();
  if (!session.out.try_send(std::move(message))) session.out.close();  // it does not read: the session is of no use
}

void Peers::send_updates(Session& session, std::uint64_t since) {
  for (protocol::LibraryUpdate& update : library_.updates_since(since)) send(session, std::move(update));
  session.told = library_.revision();
}

void Peers::close(SessionId id) {
  const auto found = sessions_.find(id);
  if (found != sessions_.end()) found->second.out.close();
}

void Peers::on_message(SessionId id, Session& session, protocol::SessionMessage message) {
  if (auto* hello = std::get_if<protocol::Hello>(&message)) {
    on_hello(id, session, std::move(*hello));
    return;
  }
  if (auto* refusal = std::get_if<protocol::Refusal>(&message)) {
    log_.warn(session.remote.to_string() + " refused: " + protocol::printable(refusal->reason));
    if (session.peer == options_.self) return;
    PeerEntry& entry = table_.obtain(session.peer);
    if (!entry.session) {
      entry.state = PeerState::refused;
      if (entry.name.empty()) entry.name = session.peer.brief();
      if (!session.inbound) entry.addresses = {session.remote};
    }
    close(id);
    return;
  }
  PeerEntry* entry = table_.find(session.peer);
  if (!session.greeted || entry == nullptr || entry->session != id) {
    if (!session.greeted) close(id);  // the first message is Hello
    return;
  }
  entry->last_seen = control_.executor().now();
  if (auto* ping = std::get_if<protocol::Ping>(&message)) {
    send(session, protocol::Pong{ping->nonce});
  } else if (std::get_if<protocol::Pong>(&message) != nullptr) {
    if (session.ping_sent != rt::TimePoint{}) {
      entry->rtt_ms = std::chrono::duration<double, std::milli>(entry->last_seen - session.ping_sent).count();
      session.ping_sent = {};
    }
  } else if (auto* request = std::get_if<protocol::LibraryRequest>(&message)) {
    send_updates(session, request->since);
  } else if (auto* update = std::get_if<protocol::LibraryUpdate>(&message)) {
    on_update(session, *entry, *update);
  } else if (std::get_if<protocol::Goodbye>(&message) != nullptr) {
    lose(*entry, PeerEvent::Kind::goodbye);
  }
}

Peers::Static* Peers::dialled_by(const Session& session) {
  if (session.inbound) return nullptr;
  const auto found = std::ranges::find_if(statics_, [&](const auto& each) { return each->dialling == session.remote; });
  return found == statics_.end() ? nullptr : found->get();
}

void Peers::on_hello(SessionId id, Session& session, protocol::Hello hello) {
  if (session.greeted) return;
  const auto refuse = [&](const std::string& reason) {
    send(session, protocol::Refusal{reason});
    close(id);
  };
  Static* const target = dialled_by(session);
  if (target != nullptr) {
    target->id = session.peer;
    target->greeted = true;
  }
  if (session.peer == options_.self) {
    if (target != nullptr) target->error = "this address leads to the daemon itself";
    refuse("this is the peer itself");
    return;
  }
  if (hello.id != session.peer) {
    refuse("the hello names another peer than the certificate");
    return;
  }
  if (hello.protocol != protocol::kProtocolVersion) {
    refuse("protocol " + std::to_string(hello.protocol) + " is not spoken here: this peer speaks " +
           std::to_string(protocol::kProtocolVersion));
    PeerEntry& refused = table_.obtain(session.peer);
    refused.name = protocol::printable(hello.name);
    if (!refused.session) refused.state = PeerState::refused;
    return;
  }

  const bool is_new = table_.find(session.peer) == nullptr;
  PeerEntry& entry = table_.obtain(session.peer);
  const bool restarted = !is_new && entry.instance != hello.instance;
  if (entry.session && !restarted) {
    // Both dialled at once, or one dialled twice: the session dialled by the lower id stays; of two by the same side,
    // the newer.
    const auto held = sessions_.find(*entry.session);
    const bool held_ours = held != sessions_.end() && !held->second.inbound;
    const bool this_ours = !session.inbound;
    const bool ours_wins = options_.self < session.peer;
    if (held != sessions_.end() && held_ours != this_ours && held_ours == ours_wins) {
      session.greeted = true;
      close(id);
      return;
    }
  }
  const std::optional<SessionId> replaced = entry.session;
  const bool known = entry.state == PeerState::connected && !restarted;
  if (restarted && entry.session) lose(entry, PeerEvent::Kind::lost);

  PeerEntry& kept = table_.obtain(session.peer);
  session.greeted = true;
  kept.session = id;
  kept.name = protocol::printable(hello.name);
  kept.instance = hello.instance;
  kept.state = PeerState::connected;
  kept.last_seen = control_.executor().now();
  kept.found_by.insert(session.inbound ? "inbound" : "static");
  if (target != nullptr) target->state = PeerState::connected;
  // Its listeners as it names them; behind them, its port at the address we see, which is where a peer that cannot know
  // its own address is found.
  kept.addresses.clear();
  if (!session.inbound) kept.addresses.push_back(session.remote);
  for (const std::string& text : hello.addresses) {
    const auto address = net::SocketAddress::parse(text);
    if (!address || address->is_unspecified()) continue;
    for (const net::SocketAddress& candidate : {*address, session.remote.with_port(address->port())}) {
      if (std::ranges::find(kept.addresses, candidate) == kept.addresses.end()) kept.addresses.push_back(candidate);
    }
  }
  if (session.inbound) {
    // The address its packets come from reaches it for certain: first.
    const auto seen = std::ranges::find_if(kept.addresses, [&](const net::SocketAddress& address) {
      return address.with_port(0) == session.remote.with_port(0);
    });
    if (seen != kept.addresses.end()) std::rotate(kept.addresses.begin(), seen, seen + 1);
  }
  if (!known) {
    log_.info(kept.name + " (" + kept.id.brief() + ") is connected");
    if (is_new) emit(PeerEvent::Kind::discovered, kept);
    emit(PeerEvent::Kind::connected, kept);
  }
  if (replaced && *replaced != id) close(*replaced);
  if (kept.revision != hello.revision || kept.digest != hello.digest) {
    session.library_asked = kept.last_seen;
    send(session, protocol::LibraryRequest{restarted ? 0 : kept.revision});
  }
  // The other side learned our revision from our Hello and asks for what it lacks; from here on it is told of changes.
  session.told = library_.revision();
  ping(session);  // the round trip is known from the start
}

void Peers::ping(Session& session) {
  session.ping_sent = control_.executor().now();
  send(session, protocol::Ping{options_.random->below(UINT64_MAX)});
}

void Peers::on_update(Session& session, PeerEntry& entry, const protocol::LibraryUpdate& update) {
  const rt::TimePoint now = control_.executor().now();
  const PeerTable::Applied applied = PeerTable::apply(entry, update);
  if (applied == PeerTable::Applied::gap) {
    // Ask for everything, but not in a circle with a peer whose digests never fit.
    if (now - session.library_asked < kLibraryAskInterval && update.base == 0) return;
    session.library_asked = now;
    send(session, protocol::LibraryRequest{0});
  }
  if (applied != PeerTable::Applied::unchanged) catalogue_changed();
}

void Peers::set_library(const std::vector<protocol::GameSummary>& games) {
  if (!library_.set(games)) return;
  for (auto& [id, session] : sessions_) {
    if (session.greeted) send_updates(session, session.told);
  }
}

rt::Task<void> Peers::run_liveness(rt::CancellationToken token) {
  const rt::Duration tick = std::max<rt::Duration>(std::min(options_.ping, options_.lost) / 5, 50ms);
  for (;;) {
    co_await rt::sleep_for(control_.executor(), tick, token);
    check_liveness();
  }
}

void Peers::check_liveness() {
  const rt::TimePoint now = control_.executor().now();
  std::vector<PeerId> silent;
  std::vector<PeerId> forgotten;
  for (auto& [id, entry] : table_.all()) {
    if (!entry.session) {
      const bool is_static = std::ranges::any_of(statics_, [&](const auto& each) { return each->id == id; });
      if (!is_static && now - entry.last_seen > kForgetAfter) forgotten.push_back(id);
      continue;
    }
    const auto found = sessions_.find(*entry.session);
    if (found == sessions_.end() || now - entry.last_seen >= options_.lost) {
      silent.push_back(id);
      continue;
    }
    Session& session = found->second;
    const bool idle = now - entry.last_seen >= options_.ping;
    const bool waiting = session.ping_sent != rt::TimePoint{} && now - session.ping_sent < options_.ping;
    if (idle && !waiting) ping(session);
  }
  for (const PeerId& id : silent) {
    PeerEntry& entry = *table_.find(id);
    close(*entry.session);
    lose(entry, PeerEvent::Kind::lost);
  }
  for (const PeerId& id : forgotten) table_.erase(id);
}

Result<void> Peers::disconnect(const std::string& peer) {
  const Result<PeerId> id = table_.resolve(peer);
  if (!id) return std::unexpected(id.error());
  PeerEntry& entry = *table_.find(*id);
  if (!entry.session) return fail(ErrorCode::invalid, entry.name + " is not connected");
  const auto session = sessions_.find(*entry.session);
  if (session != sessions_.end()) {
    session->second.out.send_urgent(protocol::Goodbye{"disconnected"});
    session->second.out.close();
  }
  lose(entry, PeerEvent::Kind::lost);
  return {};
}

rt::Task<void> Peers::say_goodbye(rt::CancellationToken token) {
  leaving_ = true;
  for (auto& [id, session] : sessions_) {
    session.out.send_urgent(protocol::Goodbye{"stopping"});
    session.out.close();
  }
  if (!sessions_.empty()) co_await sessions_over_.wait(token);
}

}  // namespace peer::node
