// Bans and pairings, as the sessions see them: whom this peer refuses, and whom paired mode admits.
#include <algorithm>
#include <set>
#include <utility>

#include "libpeer/protocol/path.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

namespace {
constexpr const char* kNotPaired = "it is not paired here";
constexpr std::size_t kLeastIdDigits = 8;
/// Strangers that called and were turned away, listed at most.
constexpr std::ptrdiff_t kMaxStrangers = 256;

/// Who is not let in has told no name.
std::string called(const PeerId& peer, const std::string& name) {
  return name == peer.brief() ? name : name + " (" + peer.brief() + ")";
}
}  // namespace

void Peers::ban(const PeerId& peer, const std::string& reason, const std::string& name) {
  if (peer == options_.self || banned_.contains(peer)) return;
  PeerEntry* entry = table_.find(peer);
  const std::string called = entry != nullptr && !entry->name.empty() ? entry->name
                             : name.empty()                           ? peer.brief()
                                                                      : name;
  banned_.emplace(peer, Ban{called, reason});
  log_.peer(peer.hex()).warn(called + " (" + peer.brief() + ") is banned: " + protocol::printable(reason));
  for (auto& [id, session] : sessions_) {
    if (session.peer != peer || session.closed) continue;
    send(session, protocol::Refusal{"this peer is banned here"});
    close(id);
  }
  if (entry != nullptr) {
    const bool connected = entry->state == api::PeerState::connected;
    if (connected) lose(*entry, api::PeerEvent::Kind::lost);
    entry->state = api::PeerState::banned;
    entry->session.reset();
  }
  if (!leaving_) options_.on_event(api::PeerEvent{api::PeerEvent::Kind::banned, peer, called, reason});
  wake_waiters();
  options_.on_bans_changed();
}

/// Also of one that is not known: by its whole id.
Result<PeerId> Peers::find_to_ban(const std::string& peer) const {
  Result<PeerId> known = table_.resolve(peer);
  if (known) return known;
  if (const auto id = PeerId::from_hex(peer)) return *id;
  if (known.error().code == ErrorCode::unreachable) {
    return fail(ErrorCode::unreachable,
                known.error().message +
                    ", and a ban goes by the id. Give the 64 digits of the id; to stop dialling "
                    "the address: peerctl disconnect " +
                    peer);
  }
  return known;
}

Result<void> Peers::unban(const std::string& peer) {
  std::vector<PeerId> matches;
  for (const auto& [id, ban] : banned_) {
    const bool named = ban.name == peer || static_id(peer) == id;
    if (named || (peer.size() >= 4 && id.hex().starts_with(peer))) matches.push_back(id);
  }
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer called " + peer + " is banned: 'peerctl peers' lists them");
  if (matches.size() > 1) {
    return fail(ErrorCode::invalid,
                peer + " fits " + std::to_string(matches.size()) + " banned peers: give more digits");
  }
  const PeerId id = matches.front();
  banned_.erase(id);
  bool dialled = false;
  for (const auto& target : targets_) {
    // Whom an address led to is not known before it is dialled again.
    if (!target->id || *target->id == id) target->kick.set();
    if (target->id == id && !target->gone) dialled = true;
  }
  if (PeerEntry* entry = table_.find(id)) {
    entry->state = api::PeerState::unreachable;
    if (!dialled) dial_again(*entry);
  }
  log_.peer(id.hex()).info(id.brief() + " is banned no more");
  wake_waiters();
  options_.on_bans_changed();
  return {};
}

bool Peers::admits(const PeerId& peer) const {
  return options_.access != access::AccessMode::paired || peer == options_.self || paired_.contains(peer);
}

/// Somebody answered or called, and one of the two does not let the other in. `dial`: the one that came to this, if it
/// was this side's.
void Peers::on_denied(const PeerId& peer, const net::SocketAddress& remote, Dial* dial, Error reason) {
  if (dial != nullptr && options_.access == access::AccessMode::paired && paired_.contains(peer)) {
    reason.message = "it has not paired this peer: 'peerctl pair " + options_.self.brief() + "' there";
  }
  if (dial != nullptr) {
    met(*dial, peer);
    if (!dial->verdict) dial->verdict = reason;
  }
  if (peer == options_.self || banned_.contains(peer)) return;
  if (dial == nullptr && table_.find(peer) == nullptr &&
      std::ranges::count(table_.all(), api::PeerState::refused, [](const auto& each) { return each.second.state; }) >=
          kMaxStrangers) {
    return;
  }
  PeerEntry& entry = table_.obtain(peer);
  if (entry.state == api::PeerState::connected) return;
  const bool news = entry.state != api::PeerState::refused;
  entry.state = api::PeerState::refused;
  entry.refusal = reason.message;
  entry.last_seen = control_.executor().now();
  if (entry.name.empty()) entry.name = peer.brief();
  entry.found_by.insert(dial == nullptr ? "inbound" : dial->found_by);
  // Where a call comes from is where to look for it, as long as nothing better is known; nobody dials it for that.
  if (dial != nullptr || entry.addresses.empty()) entry.addresses = {remote};
  if (news) {
    const std::string who = called(peer, entry.name) + " at " + remote.to_string();
    log_.peer(peer.hex()).info(who + " is refused: " + reason.message);
  }
  wake_waiters();
}

/// It called, and does not know the key, or is not paired.
void Peers::on_turned_away(const SessionDenied& denied) {
  const bool party = options_.access == access::AccessMode::party;
  const std::string reason = party
                                 ? "it does not prove that it knows the party's key"
                                 : std::string(kNotPaired) + ": 'peerctl pair " + denied.peer.brief() + "' lets it in";
  on_denied(denied.peer, denied.remote, nullptr, Error{ErrorCode::refused, reason, 0});
}

/// Listed, be it only because mDNS claims that it is there; or any, by its whole id.
Result<PeerId> Peers::find_to_pair(const std::string& peer) const {
  if (const auto id = PeerId::from_hex(peer)) return *id;
  // What looks like an id is never taken for a name: anyone can call itself by another's digits.
  const bool digits = peer.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (digits && peer.size() < kLeastIdDigits) {
    return fail(ErrorCode::invalid, peer + " is too short to tell whom it means: 'peerctl peers' shows 12 digits");
  }
  std::set<PeerId> matches;
  const auto consider = [&](const PeerId& id, const std::string& name) {
    if (digits ? id.hex().starts_with(peer) : name == peer) matches.insert(id);
  };
  for (const auto& [id, entry] : table_.all()) consider(id, entry.name);
  for (const auto& target : targets_) {
    if (target->id && !target->gone) consider(*target->id, {});  // its name is only what mDNS claims
  }
  const Target* const named = digits ? nullptr : static_target(peer);
  if (named != nullptr && named->id) matches.insert(*named->id);
  if (matches.size() == 1) return *matches.begin();
  if (matches.empty() && named != nullptr) {
    return fail(ErrorCode::unreachable,
                "\"" + peer +
                    "\" has not answered yet: its peer id is not known, and pairing goes by the "
                    "id. Give the 64 digits of the id, which 'peerctl status' shows there");
  }
  if (matches.empty()) {
    return fail(ErrorCode::invalid, "no peer is called " + peer +
                                        ": 'peerctl peers' lists those that are there, and any other can be named by "
                                        "the 64 digits of its id");
  }
  return fail(ErrorCode::invalid,
              peer + " fits " + std::to_string(matches.size()) + " peers: give more digits of the id");
}

Result<api::Pairing> Peers::pair(const std::string& peer) {
  const Result<PeerId> id = find_to_pair(peer);
  if (!id) return std::unexpected(id.error());
  if (*id == options_.self) return fail(ErrorCode::invalid, "that is this peer itself");
  PeerEntry* entry = table_.find(*id);
  const auto known = paired_.find(*id);
  std::string name = known != paired_.end() ? known->second : id->brief();
  if (entry != nullptr && !entry->name.empty()) name = entry->name;
  if (known == paired_.end()) log_.peer(id->hex()).info(called(*id, name) + " is paired here");
  paired_.insert_or_assign(*id, name);
  if (entry != nullptr && entry->state == api::PeerState::refused) entry->state = api::PeerState::unreachable;
  api::Pairing pairing{*id, name, {}};
  if (banned_.contains(*id)) {
    pairing.note = "it is banned here, and stays so until 'peerctl unban " + id->brief() + "'";
  } else if (options_.access != access::AccessMode::paired) {
    pairing.note = "access.mode is \"" + std::string(to_string(options_.access)) +
                   "\": the pairing is kept, and counts once it is \"paired\"";
  } else if (!is_connected(*id)) {
    pairing.note = "they connect once this peer is paired there as well: 'peerctl pair " + options_.self.brief() + "'";
  }
  return pairing;
}

/// The net loop knows of it by now.
void Peers::dial_paired(const PeerId& peer) {
  for (const auto& target : targets_) {
    // Whom an address leads to is not known before it is dialled again.
    if (!target->id || *target->id == peer) target->kick.set();
  }
  wake_waiters();
}

Result<api::Pairing> Peers::unpair(const std::string& peer) {
  std::set<PeerId> matches;
  for (const auto& [id, name] : paired_) {
    const PeerEntry* entry = table_.find(id);
    const bool named = name == peer || (entry != nullptr && entry->name == peer) || static_id(peer) == id;
    if (named || (peer.size() >= 4 && id.hex().starts_with(peer))) matches.insert(id);
  }
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer called " + peer + " is paired here: 'peerctl peers' lists them");
  if (matches.size() > 1) {
    return fail(ErrorCode::invalid,
                peer + " fits " + std::to_string(matches.size()) + " paired peers: give more digits");
  }
  const PeerId id = *matches.begin();
  api::Pairing pairing{id, paired_.at(id), {}};
  paired_.erase(id);
  log_.peer(id.hex()).info(called(id, pairing.name) + " is paired here no more");
  if (options_.access != access::AccessMode::paired) {
    pairing.note = "access.mode is \"" + std::string(to_string(options_.access)) + "\": who is connected stays so";
    return pairing;
  }
  for (auto& [number, session] : sessions_) {
    if (session.peer != id || session.closed) continue;
    send(session, protocol::Refusal{"this peer is no longer paired here"});
    close(number);
  }
  if (PeerEntry* entry = table_.find(id); entry != nullptr && entry->state != api::PeerState::banned) {
    if (entry->state == api::PeerState::connected) lose(*entry, api::PeerEvent::Kind::lost);
    entry->state = api::PeerState::refused;
    entry->refusal = kNotPaired;
  }
  wake_waiters();
  return pairing;
}

/// So that it can be unpaired by the name it goes by.
void Peers::note_name(const PeerId& peer, const std::string& name) {
  const auto paired = paired_.find(peer);
  if (paired == paired_.end() || paired->second == name) return;
  paired->second = name;
  options_.on_pairings_changed();
}

}  // namespace peer::sessions
