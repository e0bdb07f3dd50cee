// What a peer's messages do.
#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
/// No second request for a library sooner: the first one's answer has everything; and two peers whose digests never
/// fit do not ask in a circle.
constexpr runtime::Duration kLibraryAskInterval = 2s;
/// Requests for our library that one session gets answered at once, and then a second.
constexpr double kRequestBurst = 16;
constexpr double kRequestsPerSecond = 1;
/// Of two sessions that were dialled at once the first has just said Hello; one that has been silent for longer may
/// lead nowhere.
constexpr runtime::Duration kJustHeard = 1s;
}  // namespace

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

void Peers::on_message(SessionId id, Session& session, protocol::SessionMessage message) {
  if (auto* hello = std::get_if<protocol::Hello>(&message)) {
    if (!session.greeted) on_hello(id, session, std::move(*hello));
    return;
  }
  if (auto* refusal = std::get_if<protocol::Refusal>(&message)) {
    on_refusal(id, session, *refusal);
    return;
  }
  if (!session.greeted) {
    close(id);  // the first message is Hello
    return;
  }
  PeerEntry* entry = table_.find(session.peer);
  if (entry == nullptr || entry->session != id) return;
  entry->last_seen = control_.executor().now();
  if (auto* ping = std::get_if<protocol::Ping>(&message)) {
    send(session, protocol::Pong{ping->nonce});
  } else if (auto* pong = std::get_if<protocol::Pong>(&message)) {
    if (session.ping_sent != runtime::TimePoint{} && pong->nonce == session.ping_nonce) {
      entry->rtt_ms = std::chrono::duration<double, std::milli>(entry->last_seen - session.ping_sent).count();
      session.ping_sent = {};
    }
  } else if (auto* request = std::get_if<protocol::LibraryRequest>(&message)) {
    on_library_request(id, session, *request);
  } else if (auto* update = std::get_if<protocol::LibraryUpdate>(&message)) {
    on_update(session, *entry, *update);
  } else if (auto* hints = std::get_if<protocol::PeerHints>(&message)) {
    on_hints(session, *hints);
  } else if (auto* holdings = std::get_if<protocol::Holdings>(&message)) {
    on_holdings(session, *entry, *holdings);
  } else if (auto* end = std::get_if<protocol::HoldingsEnd>(&message)) {
    on_holdings_end(session, *entry, *end);
  } else if (std::get_if<protocol::Goodbye>(&message) != nullptr) {
    lose(*entry, api::PeerEvent::Kind::goodbye);
  }
}

void Peers::on_refusal(SessionId id, Session& session, const protocol::Refusal& refusal) {
  const std::string reason = protocol::printable(refusal.reason);
  log_.peer(session.peer.hex()).warn(session.remote.to_string() + " refused: " + reason);
  if (Dial* dial = dial_of(session); dial != nullptr && !dial->verdict) {
    met(*dial, session.peer);
    dial->verdict = Error{ErrorCode::refused, reason, 0};
  }
  if (session.peer != options_.self) {
    PeerEntry& entry = table_.obtain(session.peer);
    if (!entry.session) {
      entry.state = api::PeerState::refused;
      entry.refusal = reason;
      entry.last_seen = control_.executor().now();
      if (entry.name.empty()) entry.name = session.peer.brief();
      if (!session.inbound) entry.addresses = {session.remote};
    }
  }
  close(id);
}

/// Whether the peer may stay, before anything is looked up in the table; refuses it otherwise.
bool Peers::acceptable(SessionId id, Session& session, const protocol::Hello& hello) {
  std::string reason;
  if (session.peer == options_.self) {
    reason = "this address leads to the daemon itself";
  } else if (banned_.contains(session.peer)) {
    reason = "this peer is banned here";
  } else if (hello.id != session.peer) {
    reason = "the hello names another peer than the certificate";
  } else if (hello.protocol != protocol::kProtocolVersion) {
    reason = "protocol " + std::to_string(hello.protocol) + " is not spoken here: this peer speaks " +
             std::to_string(protocol::kProtocolVersion);
    PeerEntry& refused = table_.obtain(session.peer);
    refused.name = protocol::printable(hello.name);
    refused.last_seen = control_.executor().now();
    if (!refused.session) refused.state = api::PeerState::refused;
    refused.refusal = reason;
  } else {
    return true;
  }
  if (Dial* dial = dial_of(session)) dial->verdict = Error{ErrorCode::refused, reason, 0};
  send(session, protocol::Refusal{reason});
  close(id);
  return false;
}

bool Peers::just_heard(const PeerEntry& entry) const {
  return control_.executor().now() - entry.last_seen <= kJustHeard;
}

/// Both dialled at once, or one dialled twice: the session dialled by the lower id stays; of two by the same side, the
/// newer. If the older has been silent for a moment the newer stays in any case: whoever dials again has lost the
/// older.
bool Peers::keeps_other(const PeerEntry& entry, const Session& session) const {
  if (!entry.session) return false;
  const auto held = sessions_.find(*entry.session);
  if (held == sessions_.end() || held->second.closed) return false;
  if (!just_heard(entry)) return false;
  const bool held_is_ours = !held->second.inbound;
  const bool this_is_ours = !session.inbound;
  const bool ours_win = options_.self < session.peer;
  return held_is_ours != this_is_ours && held_is_ours == ours_win;
}

/// Who answered a dial is known now, and with it whom a target leads to.
void Peers::met(Dial& dial, const PeerId& peer) {
  dial.id = peer;
  if (!dial.greeted) dial.met = control_.executor().now();
  dial.greeted = true;
  dial.settled.set();
  for (const auto& target : targets_) {
    if (target->dial.get() == &dial) target->id = peer;
  }
}

void Peers::on_hello(SessionId id, Session& session, protocol::Hello hello) {
  Dial* const dial = dial_of(session);
  if (dial != nullptr) met(*dial, session.peer);
  if (!acceptable(id, session, hello)) return;

  PeerEntry* const before = table_.find(session.peer);
  const bool is_new = before == nullptr;
  const bool restarted = !is_new && before->instance != hello.instance;
  session.greeted = true;
  if (!is_new && !restarted && keeps_other(*before, session)) {
    close(id);
    return;
  }
  PeerEntry& entry = table_.obtain(session.peer);
  const std::optional<SessionId> replaced = entry.session;
  if (restarted) lose(entry, api::PeerEvent::Kind::lost);  // all that was known of it is forgotten
  const bool known = entry.state == api::PeerState::connected;
  const bool was_heard = just_heard(entry);

  entry.session = id;
  entry.name = protocol::printable(hello.name);
  entry.instance = hello.instance;
  entry.state = api::PeerState::connected;
  entry.last_seen = control_.executor().now();
  entry.incoming.reset();
  entry.holdings.clear();
  entry.found_by.insert(dial == nullptr ? "inbound" : dial->found_by);
  learn_addresses(entry, session, hello);
  for (const auto& target : targets_) {
    if (target->id != session.peer || target->gone) continue;
    target->state = api::PeerState::connected;
    entry.found_by.insert(target->found_by);
    add_addresses(entry, target->addresses);
  }
  note_name(session.peer, entry.name);
  if (!known) {
    log_.peer(entry.id.hex()).info(entry.name + " (" + entry.id.brief() + ") is connected");
    if (is_new) emit(api::PeerEvent::Kind::discovered, entry);
    emit(api::PeerEvent::Kind::connected, entry);
  }
  wake_waiters();
  peers_changed_.set();
  if (replaced && *replaced != id) {
    if (!was_heard) ++entry.route_generation;
    close(*replaced);
  }
  const bool had_games = !entry.games.empty();
  const bool up_to_date = PeerTable::recall_library(entry, hello, restarted);
  if (!had_games && !entry.games.empty()) catalogue_changed();
  if (!up_to_date) ask_library(session, entry.revision);
  // It knows our revision from our Hello; what has changed since then it is told, as from here on.
  if (session.told != library_.revision()) send_updates(session, session.told);
  greet_with_holdings(session);
  ping(session);  // the round trip is known from the start
}

void Peers::add_addresses(PeerEntry& entry, const std::vector<net::SocketAddress>& addresses) {
  for (const net::SocketAddress& address : addresses) {
    if (entry.addresses.size() >= protocol::kMaxAddressesPerPeer) return;
    if (std::ranges::find(entry.addresses, address) == entry.addresses.end()) entry.addresses.push_back(address);
  }
}

/// Its listeners as it names them; behind each, its port at the address we see, which is where a peer that cannot know
/// its own address is found.
void Peers::learn_addresses(PeerEntry& entry, const Session& session, const protocol::Hello& hello) const {
  std::vector<net::SocketAddress>& known = entry.addresses;
  known.clear();
  if (!session.inbound) known.push_back(session.remote);
  for (const std::string& text : hello.addresses) {
    const auto address = net::SocketAddress::parse(text);
    if (!address || address->is_unspecified()) continue;
    for (const net::SocketAddress& candidate : {*address, session.remote.with_port(address->port())}) {
      if (std::ranges::find(known, candidate) == known.end()) known.push_back(candidate);
    }
  }
  if (!session.inbound) return;
  // The address its packets come from reaches it for certain: first.
  const auto seen = std::ranges::find_if(
      known, [&](const net::SocketAddress& address) { return address.with_port(0) == session.remote.with_port(0); });
  if (seen != known.end()) std::rotate(known.begin(), seen, seen + 1);
}

void Peers::on_library_request(SessionId id, Session& session, const protocol::LibraryRequest& request) {
  if (!session.library_requests.take(control_.executor().now(), kRequestBurst, kRequestsPerSecond)) {
    log_.peer(session.peer.hex())
        .warn(session.remote.to_string() + " asks for the library without end: its session is closed");
    close(id);
    return;
  }
  send_updates(session, request.since);
}

void Peers::ask_library(Session& session, std::uint64_t since) {
  session.library_asked = control_.executor().now();
  send(session, protocol::LibraryRequest{since});
}

void Peers::on_update(Session& session, PeerEntry& entry, const protocol::LibraryUpdate& update) {
  const PeerTable::Applied applied = PeerTable::apply(entry, update);
  forget_holdings_offered(session, entry);
  log_.peer(entry.id.hex())
      .debug("library of " + entry.name + ": " + (update.base == 0 ? "snapshot" : "delta") + " to revision " +
             std::to_string(update.revision) + ", " + std::to_string(update.games.size()) + " games, " +
             std::to_string(update.removed.size()) + " removed");
  if (applied == PeerTable::Applied::changed) catalogue_changed();
  if (applied != PeerTable::Applied::gap) return;
  const bool just_asked =
      session.library_asked && control_.executor().now() - *session.library_asked < kLibraryAskInterval;
  if (!just_asked) ask_library(session, 0);
}

}  // namespace peer::sessions
