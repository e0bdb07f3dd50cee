#include "libpeer/sessions/library_log.h"

#include <algorithm>
#include <set>

#include "libpeer/protocol/limits.h"

namespace peer::sessions {

namespace {
constexpr std::size_t kMaxRemembered = 10'000;  // removals; beyond that, a peer that is behind gets a snapshot
}

bool LibraryLog::set(const std::vector<protocol::GameSummary>& games) {
  const std::uint64_t next = revision_ + 1;
  bool changed = false;
  std::set<std::string> present;
  for (const protocol::GameSummary& game : games) {
    present.insert(game.id);
    const auto held = games_.find(game.id);
    if (held != games_.end() && held->second.summary == game) continue;
    games_[game.id] = LoggedGame{game, next};
    removed_.erase(game.id);
    changed = true;
  }
  for (auto held = games_.begin(); held != games_.end();) {
    if (present.contains(held->first)) {
      ++held;
      continue;
    }
    removed_[held->first] = next;
    held = games_.erase(held);
    changed = true;
  }
  if (!changed) return false;
  revision_ = next;
  digest_ = protocol::library_digest(this->games());
  if (removed_.size() > kMaxRemembered) {
    removed_.clear();
    oldest_ = revision_;
  }
  return true;
}

std::uint64_t LibraryLog::revision_of(const std::vector<protocol::GameSummary>& games) const {
  const bool same = std::ranges::equal(games, games_, {}, {}, [](const auto& held) { return held.second.summary; });
  return same ? revision_ : revision_ + 1;
}

std::vector<protocol::GameSummary> LibraryLog::games() const {
  std::vector<protocol::GameSummary> all;
  all.reserve(games_.size());
  for (const auto& [id, held] : games_) all.push_back(held.summary);
  return all;
}

std::vector<protocol::LibraryUpdate> LibraryLog::updates_since(std::uint64_t since) const {
  const bool snapshot = since == 0 || since < oldest_ || since > revision_;
  std::vector<protocol::LibraryUpdate> parts(1);
  std::size_t entries = 0;
  const auto room = [&]() -> protocol::LibraryUpdate& {
    if (entries++ == protocol::kMaxGamesPerUpdate) {
      parts.emplace_back();
      entries = 1;
    }
    return parts.back();
  };
  for (const auto& [id, held] : games_) {
    if (snapshot || held.revision > since) room().games.push_back(held.summary);
  }
  if (!snapshot) {
    for (const auto& [id, revision] : removed_) {
      if (revision > since) room().removed.push_back(id);
    }
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    // Later parts extend the first one, so only the first part of a snapshot starts from 0.
    parts[i].base = snapshot ? (i == 0 ? 0 : revision_) : since;
    parts[i].revision = revision_;
    parts[i].digest = digest_;
    parts[i].last = i + 1 == parts.size();
  }
  return parts;
}

}  // namespace peer::sessions
