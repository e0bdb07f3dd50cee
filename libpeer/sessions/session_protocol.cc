#include "libpeer/sessions/session_protocol.h"

#include <algorithm>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/path.h"
#include "libpeer/sessions/dial_rules.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
/// If two sessions were dialed at once, the first has sent Hello within this time. A session that has been silent for
/// longer may be dead.
constexpr runtime::Duration kJustHeard = 1s;
/// Maximum number of listed peers that this peer does not admit.
constexpr std::ptrdiff_t kMaxStrangers = 256;
constexpr const char* kNotPaired = "it is not paired here";

bool just_heard(const PeerEntry& entry, runtime::TimePoint now) { return now - entry.last_seen <= kJustHeard; }

void set_refused(PeerEntry& entry, const std::string& reason, runtime::TimePoint now) {
  entry.state = api::PeerState::refused;
  entry.refusal = reason;
  entry.last_seen = now;
  if (entry.name.empty()) entry.name = entry.id.brief();
}
}  // namespace

SessionProtocol::SessionProtocol(SessionProtocolOptions options, PeerTable& table, const AccessLists& access)
    : options_(std::move(options)),
      table_(table),
      access_(access),
      registry_(table, options_.log),
      library_(registry_, table, options_.log),
      liveness_({options_.self, options_.ping, options_.lost, options_.random}, registry_, table) {}

protocol::Hello SessionProtocol::hello() const {
  protocol::Hello hello;
  hello.id = options_.self;
  hello.name = options_.name;
  hello.instance = options_.instance;
  hello.addresses = options_.addresses;
  hello.revision = library_.own().revision();
  hello.digest = library_.own().digest();
  return hello;
}

void SessionProtocol::on_opened(SessionId id, Session opened, bool wanted, runtime::TimePoint now) {
  Session& session = registry_.add(id, std::move(opened));
  session.opened = now;
  if (registry_.leaving()) {
    close(id);
  } else if (access_.is_banned(session.peer)) {
    // Refuse before sending our Hello: otherwise the banned peer would list this one as connected for a moment.
    refuse_dial(session, "it is banned here");
    registry_.send(id, session, protocol::Refusal{"this peer is banned here"});
    close(id);
  } else if (!access_.admits(session.peer)) {
    // The peer was unpaired while its session was being opened.
    registry_.send(id, session, protocol::Refusal{"this peer is not paired here"});
    close(id);
  } else if (!wanted) {
    close(id);
  } else {
    session.announced = library_.own().revision();
    registry_.send(id, session, hello());
  }
}

void SessionProtocol::on_stalled(SessionId id) {
  if (Session* session = registry_.find(id)) session->closed = true;
}

void SessionProtocol::on_message(SessionId id, protocol::SessionMessage message, runtime::TimePoint now) {
  Session* const session = registry_.find(id);
  if (session == nullptr) return;
  // Accept a Goodbye even in a closed session: it may be closed only because the answer to an earlier message found the
  // channel closed.
  if (session->closed && !std::holds_alternative<protocol::Goodbye>(message)) return;
  if (const auto* hello = std::get_if<protocol::Hello>(&message)) {
    if (!session->greeted) on_hello(id, *session, *hello, now);
    return;
  }
  if (const auto* refusal = std::get_if<protocol::Refusal>(&message)) {
    on_refusal(id, *session, *refusal, now);
    return;
  }
  if (!session->greeted) {
    close(id);  // the first message must be Hello
    return;
  }
  PeerEntry* entry = table_.find(session->peer);
  if (entry == nullptr || entry->session != id) return;
  entry->last_seen = now;
  if (const auto* ping = std::get_if<protocol::Ping>(&message)) {
    registry_.send(id, *session, protocol::Pong{ping->nonce});
  } else if (const auto* pong = std::get_if<protocol::Pong>(&message)) {
    const auto round_trip = session->on_pong(*pong, now);
    if (round_trip) entry->rtt_ms = std::chrono::duration<double, std::milli>(*round_trip).count();
  } else if (const auto* request = std::get_if<protocol::LibraryRequest>(&message)) {
    library_.on_request(id, *session, *request, now);
  } else if (const auto* update = std::get_if<protocol::LibraryUpdate>(&message)) {
    library_.on_update(id, *session, *entry, *update, now);
  } else if (std::holds_alternative<protocol::Goodbye>(message)) {
    registry_.lose(*entry, api::PeerEvent::Kind::goodbye);
  } else {
    registry_.push(ExchangeReceived{id, std::move(message)});
  }
}

void SessionProtocol::on_hello(SessionId id, Session& session, const protocol::Hello& hello, runtime::TimePoint now) {
  if (!session.inbound()) registry_.push(DialAnswered{session.dial, session.peer});
  if (const auto reason = reason_to_refuse(session, hello, now)) {
    if (!session.inbound()) registry_.push(DialRefused{session.dial, Error{ErrorCode::refused, *reason, 0}});
    registry_.send(id, session, protocol::Refusal{*reason});
    close(id);
    return;
  }
  session.greeted = true;
  const PeerEntry* const known = table_.find(session.peer);
  const bool restarted = known != nullptr && known->instance != hello.instance;
  if (known != nullptr && !restarted && keeps_other(*known, session, now)) {
    close(id);
  } else {
    greet(id, session, hello, restarted, now);
  }
}

std::optional<std::string> SessionProtocol::reason_to_refuse(const Session& session, const protocol::Hello& hello,
                                                             runtime::TimePoint now) {
  if (session.peer == options_.self) return "this address leads to the daemon itself";
  if (access_.is_banned(session.peer)) return "this peer is banned here";
  if (hello.id != session.peer) return "the hello names another peer than the certificate";
  if (hello.protocol == protocol::kProtocolVersion) return std::nullopt;
  const std::string reason = "protocol " + std::to_string(hello.protocol) + " is not spoken here: this peer speaks " +
                             std::to_string(protocol::kProtocolVersion);
  PeerEntry& refused = table_.obtain(session.peer);
  refused.name = protocol::printable(hello.name);
  refused.last_seen = now;
  if (!refused.session) refused.state = api::PeerState::refused;
  refused.refusal = reason;
  return reason;
}

/// If both peers dialed at once, the session dialed by the lower id stays; of two sessions dialed by the same peer, the
/// newer one. If the older session has been silent for a moment, the newer one stays in any case: a peer that dials
/// again has lost the older one.
bool SessionProtocol::keeps_other(const PeerEntry& entry, const Session& session, runtime::TimePoint now) const {
  const Session* const held = entry.session ? registry_.find(*entry.session) : nullptr;
  if (held == nullptr || held->closed || !just_heard(entry, now)) return false;
  const bool ours_win = options_.self < session.peer;
  return held->inbound() != session.inbound() && held->inbound() != ours_win;
}

/// Makes `session` the peer's session, and sends the first messages after Hello.
void SessionProtocol::greet(SessionId id, Session& session, const protocol::Hello& hello, bool restarted,
                            runtime::TimePoint now) {
  const bool is_new = table_.find(session.peer) == nullptr;
  PeerEntry& entry = table_.obtain(session.peer);
  const std::optional<SessionId> replaced = entry.session;
  if (restarted) registry_.lose(entry, api::PeerEvent::Kind::lost);  // drops all data of the earlier instance
  const bool was_connected = entry.state == api::PeerState::connected;
  const bool was_heard = just_heard(entry, now);
  entry.session = id;
  entry.name = protocol::printable(hello.name);
  entry.instance = hello.instance;
  entry.state = api::PeerState::connected;
  entry.last_seen = now;
  entry.library.drop_partial_update();
  entry.holdings.clear();
  entry.found_by.insert(session.found_by);
  const auto dialable = [&](const net::SocketAddress& address) {
    const bool on_link = !address.is_local() && options_.is_on_link && options_.is_on_link(address, now);
    return may_dial(address, session.remote, on_link);
  };
  entry.learn_addresses(hello, session.remote, session.inbound(), dialable);
  registry_.push(PeerGreeted{session.peer});
  if (!was_connected) {
    options_.log.peer(entry.id.hex()).info(entry.name + " (" + entry.id.brief() + ") is connected");
    if (is_new) registry_.report(api::PeerEvent::Kind::discovered, entry.id, entry.name);
    registry_.report(api::PeerEvent::Kind::connected, entry.id, entry.name);
  }
  registry_.push(PeerStateChanged{});
  if (replaced && *replaced != id) {
    if (!was_heard) ++entry.route_generation;
    close(*replaced);
  }
  library_.begin(id, session, entry, hello, restarted, now);
  registry_.push(SessionReady{id});
  liveness_.ping(id, session, now);  // measures the round trip
}

void SessionProtocol::on_refusal(SessionId id, const Session& session, const protocol::Refusal& refusal,
                                 runtime::TimePoint now) {
  const std::string reason = protocol::printable(refusal.reason);
  options_.log.peer(session.peer.hex()).warn(session.remote.to_string() + " refused this peer: " + reason);
  refuse_dial(session, reason);
  if (session.peer != options_.self) {
    PeerEntry& entry = table_.obtain(session.peer);
    if (!entry.session) {
      set_refused(entry, reason, now);
      if (!session.inbound()) entry.addresses = {session.remote};
    }
  }
  close(id);
}

void SessionProtocol::refuse_dial(const Session& session, const std::string& reason) {
  if (session.inbound()) return;
  registry_.push(DialAnswered{session.dial, session.peer});
  registry_.push(DialRefused{session.dial, Error{ErrorCode::refused, reason, 0}});
}

void SessionProtocol::on_denied(const PeerDenial& denial, runtime::TimePoint now) {
  const bool inbound = denial.dial == 0;
  Error reason = denial.reason;
  if (!inbound && access_.paired_mode() && access_.is_paired(denial.peer)) {
    reason.message = "it has not paired this peer: run 'peerctl pair " + options_.self.brief() + "' there";
  }
  if (!inbound) {
    registry_.push(DialAnswered{denial.dial, denial.peer});
    registry_.push(DialRefused{denial.dial, reason});
  }
  if (denial.peer == options_.self || access_.is_banned(denial.peer)) return;
  if (inbound && table_.find(denial.peer) == nullptr && too_many_strangers()) return;
  PeerEntry& entry = table_.obtain(denial.peer);
  if (entry.state == api::PeerState::connected) return;
  const bool is_news = entry.state != api::PeerState::refused;
  set_refused(entry, reason.message, now);
  entry.found_by.insert(denial.found_by);
  // If no better address is known, list the one that the peer dialed from. peerd does not dial it.
  if (!inbound || entry.addresses.empty()) entry.addresses = {denial.remote};
  if (is_news) {
    options_.log.peer(entry.id.hex())
        .info(describe_peer(entry.id, entry.name) + " at " + denial.remote.to_string() +
              " is refused: " + reason.message);
  }
  registry_.push(PeerStateChanged{});
}

bool SessionProtocol::too_many_strangers() const {
  const auto is_refused = [](const auto& each) { return each.second.state == api::PeerState::refused; };
  return std::ranges::count_if(table_.all(), is_refused) >= kMaxStrangers;
}

void SessionProtocol::on_turned_away(const SessionDenied& denied, runtime::TimePoint now) {
  const bool party = access_.mode() == access::AccessMode::party;
  const std::string reason = party ? "it does not prove that it knows the party's key"
                                   : std::string(kNotPaired) + ": 'peerctl pair " + denied.peer.brief() + "' admits it";
  on_denied({denied.peer, denied.remote, "inbound", 0, Error{ErrorCode::refused, reason, 0}}, now);
}

void SessionProtocol::on_banned(const PeerId& peer, const Ban& ban) {
  registry_.refuse(peer, "this peer is banned here");
  if (PeerEntry* entry = table_.find(peer)) {
    if (entry->state == api::PeerState::connected) registry_.lose(*entry, api::PeerEvent::Kind::lost);
    entry->state = api::PeerState::banned;
    entry->session.reset();
  }
  if (!leaving()) registry_.report(api::PeerEvent::Kind::banned, peer, ban.name, ban.reason);
  registry_.push(PeerStateChanged{});
}

void SessionProtocol::on_unpaired(const PeerId& peer) {
  registry_.refuse(peer, "this peer is no longer paired here");
  if (PeerEntry* entry = table_.find(peer); entry != nullptr && entry->state != api::PeerState::banned) {
    if (entry->state == api::PeerState::connected) registry_.lose(*entry, api::PeerEvent::Kind::lost);
    entry->state = api::PeerState::refused;
    entry->refusal = kNotPaired;
  }
  registry_.push(PeerStateChanged{});
}

bool SessionProtocol::disconnect(const PeerId& peer) {
  PeerEntry* const entry = table_.find(peer);
  if (entry == nullptr || !entry->session) return false;
  if (registry_.find(*entry->session) != nullptr) {
    registry_.push(SendMessage{*entry->session, protocol::Goodbye{"disconnected"}, true});
    close(*entry->session);
  }
  registry_.lose(*entry, api::PeerEvent::Kind::lost);
  return true;
}

}  // namespace peer::sessions
