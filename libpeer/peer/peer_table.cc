#include "peer/peer_table.h"

#include <algorithm>

#include "protocol/limits.h"

namespace peer::node {

PeerEntry& PeerTable::obtain(const PeerId& id) {
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
      std::ranges::count_if(peers_, [](const auto& each) { return each.second.state == PeerState::connected; }));
}

Result<PeerId> PeerTable::resolve(const std::string& text) const {
  std::vector<PeerId> matches;
  for (const auto& [id, entry] : peers_) {
    if (entry.name == text || (text.size() >= 4 && id.hex().starts_with(text))) matches.push_back(id);
  }
  if (matches.size() == 1) return matches.front();
  if (matches.empty())
    return fail(ErrorCode::invalid, "no peer is called " + text + ": 'peerctl peers' lists names and ids");
  return fail(ErrorCode::invalid,
              text + " fits " + std::to_string(matches.size()) + " peers: give more digits of the id");
}

PeerTable::Applied PeerTable::apply(PeerEntry& entry, const protocol::LibraryUpdate& update) {
  bool changed = false;
  if (update.base == 0) {
    changed = !entry.games.empty();
    entry.games.clear();
  } else if (update.base > entry.revision) {
    return Applied::gap;
  } else if (update.revision < entry.revision) {
    return Applied::unchanged;  // an old one, told twice
  }
  for (const protocol::GameSummary& game : update.games) {
    const auto held = entry.games.find(game.id);
    if (held != entry.games.end() && held->second == game) continue;
    if (held == entry.games.end() && entry.games.size() >= protocol::kMaxGamesPerPeer) continue;
    entry.games[game.id] = game;
    changed = true;
  }
  for (const std::string& id : update.removed) changed = entry.games.erase(id) > 0 || changed;
  entry.revision = update.revision;
  if (update.last) {
    std::vector<protocol::GameSummary> games;
    games.reserve(entry.games.size());
    for (const auto& [id, game] : entry.games) games.push_back(game);
    entry.digest = protocol::library_digest(games);
    if (entry.digest != update.digest) return Applied::gap;
  }
  return changed ? Applied::changed : Applied::unchanged;
}

namespace {
void add(std::vector<RemoteVersion>& versions, const protocol::GameSummary& game, const PeerId& peer) {
  auto found = std::ranges::find(versions, game.version, &RemoteVersion::version);
  if (found == versions.end()) {
    versions.push_back(RemoteVersion{game.version, game.size, game.files, game.modified, {}});
    found = std::prev(versions.end());
  }
  found->modified = std::max(found->modified, game.modified);
  found->peers.push_back(peer);
}
}  // namespace

std::map<std::string, std::vector<RemoteVersion>> PeerTable::catalogue() const {
  std::map<std::string, std::vector<RemoteVersion>> all;
  for (const auto& [id, entry] : peers_) {
    if (entry.state != PeerState::connected) continue;
    for (const auto& [game, summary] : entry.games) add(all[game], summary, id);
  }
  return all;
}

std::vector<RemoteVersion> PeerTable::versions(const std::string& game) const {
  std::vector<RemoteVersion> found;
  for (const auto& [id, entry] : peers_) {
    if (entry.state != PeerState::connected) continue;
    const auto held = entry.games.find(game);
    if (held != entry.games.end()) add(found, held->second, id);
  }
  return found;
}

std::vector<transfer::SourcePeer> PeerTable::sources(const std::string& game, const Digest& version) const {
  std::vector<transfer::SourcePeer> found;
  for (const auto& [id, entry] : peers_) {
    if (entry.state != PeerState::connected) continue;
    const auto held = entry.games.find(game);
    if (held != entry.games.end() && held->second.version == version)
      found.push_back({id, entry.name, entry.addresses});
  }
  return found;
}

}  // namespace peer::node
