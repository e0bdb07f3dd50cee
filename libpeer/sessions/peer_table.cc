#include "libpeer/sessions/peer_table.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"

namespace peer::sessions {

namespace {
constexpr std::size_t kLeastIdDigits = 8;
}

bool looks_like_id(std::string_view text) {
  return text.size() >= kLeastIdDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void PeerEntry::add_addresses(const std::vector<net::SocketAddress>& more) {
  for (const net::SocketAddress& address : more) {
    if (addresses.size() >= protocol::kMaxAddressesPerPeer) return;
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
}

/// Each listener's address as the peer names it, then the same port at the address that the session comes from: a peer
/// behind NAT or in a container does not know its own address.
void PeerEntry::learn_addresses(const protocol::Hello& hello, const net::SocketAddress& remote, bool inbound,
                                const std::function<bool(const net::SocketAddress&)>& may_dial) {
  addresses.clear();
  if (!inbound) addresses.push_back(remote);
  for (const std::string& text : hello.addresses) {
    const auto address = net::SocketAddress::parse(text);
    if (!address || address->is_unspecified()) continue;
    for (const net::SocketAddress& candidate : {*address, remote.with_port(address->port())}) {
      if (addresses.size() >= protocol::kMaxAddressesPerPeer || !may_dial(candidate)) continue;
      if (std::ranges::find(addresses, candidate) == addresses.end()) addresses.push_back(candidate);
    }
  }
  if (!inbound) return;
  // First, because the peer's packets come from this address, so it certainly reaches the peer.
  const auto seen = std::ranges::find_if(
      addresses, [&](const net::SocketAddress& address) { return address.with_port(0) == remote.with_port(0); });
  if (seen != addresses.end()) std::rotate(addresses.begin(), seen, seen + 1);
}

PeerEntry& PeerTable::obtain(const PeerId& id) {
  if (peers_.size() >= kMaxListedPeers && !peers_.contains(id)) {
    auto oldest = peers_.end();
    for (auto each = peers_.begin(); each != peers_.end(); ++each) {
      if (each->second.state == api::PeerState::connected) continue;
      if (oldest == peers_.end() || each->second.last_seen < oldest->second.last_seen) oldest = each;
    }
    if (oldest != peers_.end()) peers_.erase(oldest);
  }
  PeerEntry& entry = peers_[id];
  entry.id = id;
  return entry;
}

PeerEntry* PeerTable::find(const PeerId& id) {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}
const PeerEntry* PeerTable::find(const PeerId& id) const {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

bool PeerTable::is_connected(const PeerId& id) const {
  const PeerEntry* const entry = find(id);
  return entry != nullptr && entry->state == api::PeerState::connected;
}

std::size_t PeerTable::connected() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(peers_, [](const auto& each) { return each.second.state == api::PeerState::connected; }));
}

Result<PeerId> PeerTable::resolve(const std::string& text) const {
  std::set<PeerId> matches;
  const bool id_only = looks_like_id(text);
  for (const auto& [id, entry] : peers_) {
    if ((!id_only && entry.name == text) || (text.size() >= 4 && id.hex().starts_with(text))) matches.insert(id);
  }
  const std::optional<DialedName> named = find_dialed_ ? find_dialed_(text) : std::nullopt;
  if (named && named->id) matches.insert(*named->id);
  // A peer may choose any name, also the address of another peer.
  if (named && !named->id && !matches.empty()) {
    return fail(ErrorCode::invalid,
                "\"" + text + "\" is both an address that is dialed and another peer's name: give digits of the id");
  }
  if (matches.size() == 1) return *matches.begin();
  if (named && !named->id) {
    return fail(ErrorCode::unreachable, "\"" + text + "\" has not answered yet: its peer id is not known");
  }
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer is called \"" + text + "\": 'peerctl peers' lists names and ids");
  return fail(ErrorCode::invalid,
              "\"" + text + "\" matches " + std::to_string(matches.size()) + " peers: give more digits of the id");
}

namespace {
void add_version(std::vector<api::RemoteVersion>& versions, const protocol::GameSummary& game, const PeerId& peer) {
  auto found = std::ranges::find(versions, game.version, &api::RemoteVersion::version);
  if (found == versions.end()) {
    versions.push_back(api::RemoteVersion{game.version, game.size, game.files, game.modified, {}});
    found = std::prev(versions.end());
  }
  found->modified = std::max(found->modified, game.modified);
  found->peers.push_back(peer);
}
}  // namespace

std::map<std::string, std::vector<api::RemoteVersion>> PeerTable::catalogue() const {
  std::map<std::string, std::vector<api::RemoteVersion>> all;
  for (const auto& [id, entry] : peers_) {
    if (entry.state != api::PeerState::connected) continue;
    for (const auto& [game, summary] : entry.library.games) add_version(all[game], summary, id);
  }
  return all;
}

std::vector<api::RemoteVersion> PeerTable::versions(const std::string& game, const std::set<PeerId>& from) const {
  std::vector<api::RemoteVersion> found;
  for (const auto& [id, entry] : peers_) {
    if (entry.state != api::PeerState::connected || (!from.empty() && !from.contains(id))) continue;
    const auto held = entry.library.games.find(game);
    if (held != entry.library.games.end()) add_version(found, held->second, id);
  }
  return found;
}

std::vector<transfer::SourcePeer> PeerTable::sources(const std::string& game, const Digest& version) const {
  std::vector<transfer::SourcePeer> found;
  for (const auto& [id, entry] : peers_) {
    if (entry.state == api::PeerState::connected && entry.library.offers(game, version))
      found.push_back({id, entry.name, entry.addresses, entry.route_generation});
  }
  for (const auto& [id, entry] : peers_) {
    if (entry.state != api::PeerState::connected || entry.library.offers(game, version)) continue;
    const auto partly = entry.holdings.find(game);
    if (partly == entry.holdings.end() || partly->second.version != version) continue;
    found.push_back(
        {id, entry.name, entry.addresses, entry.route_generation, partly->second.chunks, partly->second.revision});
  }
  return found;
}

}  // namespace peer::sessions
