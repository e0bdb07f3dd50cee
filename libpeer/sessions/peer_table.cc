#include "libpeer/sessions/peer_table.h"

#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"

namespace peer::sessions {

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

std::size_t PeerTable::connected() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(peers_, [](const auto& each) { return each.second.state == api::PeerState::connected; }));
}

Result<PeerId> PeerTable::resolve(const std::string& text) const {
  std::set<PeerId> matches;
  for (const auto& [id, entry] : peers_) {
    if (entry.name == text || (text.size() >= 4 && id.hex().starts_with(text))) matches.insert(id);
  }
  const std::optional<Named> named = find_named_ ? find_named_(text) : std::nullopt;
  if (named && named->id) matches.insert(*named->id);
  // Anyone can call itself as somebody else's address reads.
  if (named && !named->id && !matches.empty()) {
    return fail(ErrorCode::invalid,
                text + " is an address that is dialled, and the name of another peer: give digits of an id");
  }
  if (matches.size() == 1) return *matches.begin();
  if (named && !named->id) {
    return fail(ErrorCode::unreachable, "\"" + text + "\" has not answered yet: its peer id is not known");
  }
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer is called " + text + ": 'peerctl peers' lists names and ids");
  return fail(ErrorCode::invalid,
              text + " fits " + std::to_string(matches.size()) + " peers: give more digits of the id");
}

void PeerTable::forget_library(PeerEntry& entry) {
  if (entry.revision != 0) {
    entry.remembered = RememberedLibrary{entry.revision, entry.digest, std::exchange(entry.games, {})};
  }
  entry.games.clear();
  entry.holdings.clear();
  entry.digest = protocol::library_digest({});
  entry.revision = 0;
  entry.incoming.reset();
}

bool PeerTable::recall_library(PeerEntry& entry, const protocol::Hello& hello, bool restarted) {
  if (std::optional<RememberedLibrary> old = std::exchange(entry.remembered, std::nullopt)) {
    const bool same = old->digest == hello.digest;
    const bool grown = !restarted && old->revision <= hello.revision;
    if (same || grown) {
      entry.games = std::move(old->games);
      entry.digest = old->digest;
      entry.revision = old->revision;
    }
  }
  if (entry.digest != hello.digest) return false;
  entry.revision = hello.revision;
  return true;
}

PeerTable::Applied PeerTable::apply(PeerEntry& entry, const protocol::LibraryUpdate& update) {
  std::optional<PartialUpdate>& incoming = entry.incoming;
  const bool continues = incoming && update.base == incoming->base && update.revision == incoming->revision;
  if (!continues) {
    incoming.reset();
    if (update.base > entry.revision) return Applied::gap;
    const bool snapshot = update.base == 0;
    if (!snapshot && update.revision < entry.revision) return Applied::unchanged;  // an old one, told twice
    incoming.emplace();
    incoming->base = snapshot ? update.revision : update.base;
    incoming->revision = update.revision;
    if (!snapshot) incoming->games = entry.games;
  }
  for (const protocol::GameSummary& game : update.games) {
    if (incoming->games.size() < protocol::kMaxGamesPerPeer || incoming->games.contains(game.id))
      incoming->games[game.id] = game;
  }
  for (const std::string& id : update.removed) incoming->games.erase(id);
  if (!update.last) return Applied::unchanged;

  const PartialUpdate whole = *std::exchange(incoming, std::nullopt);
  std::vector<protocol::GameSummary> games;
  games.reserve(whole.games.size());
  for (const auto& [id, game] : whole.games) games.push_back(game);
  if (protocol::library_digest(games) != update.digest) return Applied::gap;
  const bool changed = entry.games != whole.games;
  entry.games = whole.games;
  entry.revision = whole.revision;
  entry.digest = update.digest;
  return changed ? Applied::changed : Applied::unchanged;
}

namespace {
void add(std::vector<api::RemoteVersion>& versions, const protocol::GameSummary& game, const PeerId& peer) {
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
    for (const auto& [game, summary] : entry.games) add(all[game], summary, id);
  }
  return all;
}

std::vector<api::RemoteVersion> PeerTable::versions(const std::string& game, const std::set<PeerId>& from) const {
  std::vector<api::RemoteVersion> found;
  for (const auto& [id, entry] : peers_) {
    if (entry.state != api::PeerState::connected || (!from.empty() && !from.contains(id))) continue;
    const auto held = entry.games.find(game);
    if (held != entry.games.end()) add(found, held->second, id);
  }
  return found;
}

bool PeerEntry::offers(const std::string& game, const Digest& version) const {
  const auto held = games.find(game);
  return held != games.end() && held->second.version == version;
}

std::vector<transfer::SourcePeer> PeerTable::sources(const std::string& game, const Digest& version) const {
  std::vector<transfer::SourcePeer> found;
  for (const auto& [id, entry] : peers_) {
    if (entry.state == api::PeerState::connected && entry.offers(game, version))
      found.push_back({id, entry.name, entry.addresses, entry.route_generation});
  }
  for (const auto& [id, entry] : peers_) {
    if (entry.state != api::PeerState::connected || entry.offers(game, version)) continue;
    const auto partly = entry.holdings.find(game);
    if (partly == entry.holdings.end() || partly->second.version != version) continue;
    found.push_back(
        {id, entry.name, entry.addresses, entry.route_generation, partly->second.chunks, partly->second.revision});
  }
  return found;
}

}  // namespace peer::sessions
