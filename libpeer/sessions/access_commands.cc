#include "libpeer/sessions/access_commands.h"

#include <set>
#include <utility>

#include "libpeer/protocol/path.h"

namespace peer::sessions {

namespace {
constexpr std::size_t kLeastIdDigits = 8;
}

AccessCommands::AccessCommands(AccessLists& access, SessionProtocol& sessions, PeerTable& table, DialTargets& targets,
                               PeerExchange& exchange, Log log)
    : access_(access),
      sessions_(sessions),
      table_(table),
      targets_(targets),
      exchange_(exchange),
      log_(std::move(log)) {}

bool AccessCommands::ban(const PeerId& peer, const std::string& reason, const std::string& name) {
  if (peer == access_.self() || access_.is_banned(peer)) return false;
  const PeerEntry* const entry = table_.find(peer);
  Ban ban{name, reason};
  if (entry != nullptr && !entry->name.empty()) ban.name = entry->name;
  if (ban.name.empty()) ban.name = peer.brief();
  access_.add_ban(peer, ban);
  log_.peer(peer.hex()).warn(ban.name + " (" + peer.brief() + ") is banned: " + protocol::printable(reason));
  sessions_.on_banned(peer, ban);
  return true;
}

Result<PeerId> AccessCommands::find_to_ban(const std::string& peer) const {
  Result<PeerId> known = table_.resolve(peer);
  if (known) return known;
  if (const auto id = PeerId::from_hex(peer)) return *id;
  if (known.error().code == ErrorCode::unreachable) {
    return fail(ErrorCode::unreachable, known.error().message +
                                            ", and a ban needs the id. Give the 64 digits of the id; to stop dialing "
                                            "the address: peerctl disconnect " +
                                            peer);
  }
  return known;
}

/// Whether `text` names a peer of one of the lists: by the name in the list, by a static address, or by an id prefix.
bool AccessCommands::is_called(const PeerId& peer, const std::string& name, const std::string& text) const {
  return (!looks_like_id(text) && name == text) || targets_.static_id(text) == peer ||
         (text.size() >= 4 && peer.hex().starts_with(text));
}

Result<void> AccessCommands::unban(const std::string& peer) {
  std::vector<PeerId> matches;
  for (const auto& [id, ban] : access_.bans()) {
    if (is_called(id, ban.name, peer)) matches.push_back(id);
  }
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer called \"" + peer + "\" is banned: 'peerctl peers' lists banned peers");
  if (matches.size() > 1) {
    return fail(ErrorCode::invalid, "\"" + peer + "\" matches " + std::to_string(matches.size()) +
                                        " banned peers: give more digits of the id");
  }
  const PeerId id = matches.front();
  access_.remove_ban(id);
  const bool is_target = targets_.retry(id);
  if (PeerEntry* entry = table_.find(id)) {
    entry->state = api::PeerState::unreachable;
    // A peer that was refused waits for minutes before it dials again.
    if (!is_target) exchange_.dial_once(*entry);
  }
  log_.peer(id.hex()).info(id.brief() + " is no longer banned");
  targets_.notify();
  return {};
}

Result<PeerId> AccessCommands::find_to_pair(const std::string& peer) const {
  if (const auto id = PeerId::from_hex(peer)) return *id;
  // Text that could be an id is never treated as a name: a peer may use the digits of another peer's id as its name.
  const bool digits = peer.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (digits && peer.size() < kLeastIdDigits) {
    return fail(ErrorCode::invalid, "\"" + peer + "\" is too short for an id: give at least " +
                                        std::to_string(kLeastIdDigits) + " digits; 'peerctl peers' shows 12");
  }
  std::set<PeerId> matches;
  const auto consider = [&](const PeerId& id, const std::string& name) {
    if (digits ? id.hex().starts_with(peer) : name == peer) matches.insert(id);
  };
  for (const auto& [id, entry] : table_.all()) consider(id, entry.name);
  for (const auto& target : targets_.all()) {
    if (target->id && !target->gone) consider(*target->id, {});  // the name in an mDNS record is not proven
  }
  const DialTarget* const named = digits ? nullptr : targets_.find_static(peer);
  if (named != nullptr && named->id) matches.insert(*named->id);
  if (matches.size() == 1) return *matches.begin();
  if (matches.empty() && named != nullptr) {
    return fail(ErrorCode::unreachable, "\"" + peer +
                                            "\" has not answered yet: its peer id is not known, and pairing needs "
                                            "the id. Give the 64 digits of the id, which 'peerctl status' shows "
                                            "there");
  }
  if (matches.empty()) {
    return fail(ErrorCode::invalid, "no peer is called \"" + peer +
                                        "\": 'peerctl peers' lists the known peers. Any other peer can be named by "
                                        "the 64 digits of its id");
  }
  return fail(ErrorCode::invalid,
              "\"" + peer + "\" matches " + std::to_string(matches.size()) + " peers: give more digits of the id");
}

Result<api::Pairing> AccessCommands::pair(const std::string& peer) {
  const Result<PeerId> id = find_to_pair(peer);
  if (!id) return std::unexpected(id.error());
  if (*id == access_.self()) return fail(ErrorCode::invalid, "\"" + peer + "\" is this peer itself");
  PeerEntry* const entry = table_.find(*id);
  const auto known = access_.pairings().find(*id);
  const bool is_new = known == access_.pairings().end();
  std::string name = is_new ? id->brief() : known->second;
  if (entry != nullptr && !entry->name.empty()) name = entry->name;
  if (is_new) log_.peer(id->hex()).info(describe_peer(*id, name) + " is paired here");
  access_.add_pairing(*id, name);
  if (entry != nullptr && entry->state == api::PeerState::refused) entry->state = api::PeerState::unreachable;
  return api::Pairing{*id, name, pairing_note(*id)};
}

/// The reason why a pairing does not take effect yet.
std::string AccessCommands::pairing_note(const PeerId& peer) const {
  if (access_.is_banned(peer)) return "it is banned here until 'peerctl unban " + peer.brief() + "'";
  if (!access_.paired_mode()) {
    return "access.mode is \"" + std::string(to_string(access_.mode())) +
           "\": the pairing is kept, and takes effect when the mode is \"paired\"";
  }
  if (table_.is_connected(peer)) return {};
  return "they connect once this peer is paired there as well: 'peerctl pair " + access_.self().brief() + "'";
}

Result<api::Pairing> AccessCommands::unpair(const std::string& peer) {
  std::vector<PeerId> matches;
  for (const auto& [id, name] : access_.pairings()) {
    const PeerEntry* const entry = table_.find(id);
    if (is_called(id, name, peer) || (entry != nullptr && entry->name == peer)) matches.push_back(id);
  }
  if (matches.empty())
    return fail(ErrorCode::invalid,
                "no peer called \"" + peer + "\" is paired here: 'peerctl peers' lists paired peers");
  if (matches.size() > 1) {
    return fail(ErrorCode::invalid, "\"" + peer + "\" matches " + std::to_string(matches.size()) +
                                        " paired peers: give more digits of the id");
  }
  const PeerId id = matches.front();
  api::Pairing pairing{id, access_.pairings().at(id), {}};
  access_.remove_pairing(id);
  log_.peer(id.hex()).info(describe_peer(id, pairing.name) + " is no longer paired here");
  if (access_.paired_mode()) {
    sessions_.on_unpaired(id);
  } else {
    pairing.note =
        "access.mode is \"" + std::string(to_string(access_.mode())) + "\": a connected peer stays connected";
  }
  return pairing;
}

}  // namespace peer::sessions
