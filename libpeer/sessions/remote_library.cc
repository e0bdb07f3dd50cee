#include "libpeer/sessions/remote_library.h"

#include <utility>
#include <vector>

#include "libpeer/protocol/limits.h"

namespace peer::sessions {

bool RemoteLibrary::offers(const std::string& game, const Digest& version) const {
  const auto held = games.find(game);
  return held != games.end() && held->second.version == version;
}

void RemoteLibrary::forget() {
  if (revision != 0) remembered_ = RememberedLibrary{revision, digest, std::exchange(games, {})};
  games.clear();
  digest = protocol::library_digest({});
  revision = 0;
  incoming_.reset();
}

bool RemoteLibrary::recall(const protocol::Hello& hello, bool restarted) {
  if (std::optional<RememberedLibrary> old = std::exchange(remembered_, std::nullopt)) {
    const bool same = old->digest == hello.digest;
    const bool grown = !restarted && old->revision <= hello.revision;
    if (same || grown) {
      games = std::move(old->games);
      digest = old->digest;
      revision = old->revision;
    }
  }
  if (digest != hello.digest) return false;
  revision = hello.revision;
  return true;
}

RemoteLibrary::Applied RemoteLibrary::apply(const protocol::LibraryUpdate& update) {
  const bool continues = incoming_ && update.base == incoming_->base && update.revision == incoming_->revision;
  if (!continues) {
    incoming_.reset();
    if (update.base > revision) return Applied::gap;
    const bool snapshot = update.base == 0;
    if (!snapshot && update.revision < revision) return Applied::unchanged;  // an old update, sent twice
    incoming_.emplace();
    incoming_->base = snapshot ? update.revision : update.base;
    incoming_->revision = update.revision;
    if (!snapshot) incoming_->games = games;
  }
  for (const protocol::GameSummary& game : update.games) {
    if (incoming_->games.size() < protocol::kMaxGamesPerPeer || incoming_->games.contains(game.id))
      incoming_->games[game.id] = game;
  }
  for (const std::string& id : update.removed) incoming_->games.erase(id);
  if (!update.last) return Applied::unchanged;

  const PartialUpdate whole = *std::exchange(incoming_, std::nullopt);
  std::vector<protocol::GameSummary> sorted;
  sorted.reserve(whole.games.size());
  for (const auto& [id, game] : whole.games) sorted.push_back(game);
  if (protocol::library_digest(sorted) != update.digest) return Applied::gap;
  const bool changed = games != whole.games;
  games = whole.games;
  revision = whole.revision;
  digest = update.digest;
  return changed ? Applied::changed : Applied::unchanged;
}

}  // namespace peer::sessions
