#include "libpeer/sessions/remote_library.h"

#include <utility>
#include <vector>

namespace peer::sessions {

namespace {

/// The games after the changes, sorted by id.
std::vector<const protocol::GameSummary*> changed_games(const GameSummaries& games, const GameChanges& changes) {
  std::vector<const protocol::GameSummary*> result;
  result.reserve(games.size() + changes.size());
  auto held = games.begin();
  for (const auto& [id, summary] : changes) {
    for (; held != games.end() && held->first < id; ++held) result.push_back(&held->second);
    if (held != games.end() && held->first == id) ++held;
    if (summary) result.push_back(&*summary);
  }
  for (; held != games.end(); ++held) result.push_back(&held->second);
  return result;
}

/// How many games there are after the changes.
std::size_t count_after(const GameSummaries& games, const GameChanges& changes) {
  std::size_t count = games.size();
  for (const auto& [id, summary] : changes) {
    const bool known = games.contains(id);
    if (summary && !known) ++count;
    if (!summary && known) --count;
  }
  return count;
}

}  // namespace

bool RemoteLibrary::offers(const std::string& game, const Digest& version) const {
  const auto held = games.find(game);
  return held != games.end() && held->second.version == version;
}

void RemoteLibrary::forget() {
  if (revision != 0) remembered_.reset();
  if (revision != 0 && verified_) remembered_ = RememberedLibrary{revision, digest, std::exchange(games, {})};
  games.clear();
  digest = protocol::library_digest({});
  revision = 0;
  verified_ = true;
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

RemoteLibrary::Applied RemoteLibrary::apply(const protocol::LibraryUpdate& update, DigestBudget& budget,
                                            runtime::TimePoint now) {
  const bool continues = incoming_ && update.base == incoming_->base && update.revision == incoming_->revision;
  if (!continues) {
    incoming_.reset();
    if (update.base > revision) return Applied::gap;
    const bool snapshot = update.base == 0;
    if (!snapshot && update.revision < revision) return Applied::unchanged;  // an old update, sent twice
    incoming_ = PartialUpdate{snapshot, snapshot ? update.revision : update.base, update.revision, {}};
  }
  collect(*incoming_, update);
  if (!update.last) return Applied::unchanged;
  PartialUpdate whole = std::move(*incoming_);
  incoming_.reset();
  return whole.snapshot ? replace(std::move(whole), update.digest)
                        : change(std::move(whole), update.digest, budget, now);
}

void RemoteLibrary::collect(PartialUpdate& incoming, const protocol::LibraryUpdate& part) const {
  GameChanges& changes = incoming.changes;
  // A delta may remove every game and add as many others.
  const std::size_t most = incoming.snapshot ? protocol::kMaxGamesPerPeer : 2 * protocol::kMaxGamesPerPeer;
  for (const protocol::GameSummary& game : part.games) {
    const auto change = changes.find(game.id);
    if (change != changes.end()) {
      change->second = game;
    } else if (changes.size() < most) {
      const auto held = incoming.snapshot ? games.end() : games.find(game.id);
      if (held == games.end() || held->second != game) changes.emplace(game.id, game);
    }
  }
  for (const std::string& id : part.removed) {
    if (!incoming.snapshot && games.contains(id)) {
      changes[id].reset();
    } else {
      changes.erase(id);
    }
  }
}

/// Costs as much as the peer has sent.
RemoteLibrary::Applied RemoteLibrary::replace(PartialUpdate whole, const Digest& claimed) {
  if (protocol::library_digest_of(changed_games({}, whole.changes)) != claimed) return Applied::gap;
  GameSummaries received;
  for (auto& [id, summary] : whole.changes) received.emplace_hint(received.end(), id, std::move(*summary));
  const bool changed = games != received;
  games = std::move(received);
  revision = whole.revision;
  digest = claimed;
  verified_ = true;
  return changed ? Applied::changed : Applied::unchanged;
}

RemoteLibrary::Applied RemoteLibrary::change(PartialUpdate whole, const Digest& claimed, DigestBudget& budget,
                                             runtime::TimePoint now) {
  const bool changed = !whole.changes.empty();
  if (!changed && claimed == digest) {
    revision = whole.revision;
    return Applied::unchanged;
  }
  if (!changed && verified_) return Applied::gap;
  const std::size_t count = count_after(games, whole.changes);
  if (count > protocol::kMaxGamesPerPeer) return Applied::gap;
  const bool check = may_check(count, budget, now);
  if (check && protocol::library_digest_of(changed_games(games, whole.changes)) != claimed) return Applied::gap;
  for (auto& [id, summary] : whole.changes) {
    if (summary) {
      games.insert_or_assign(id, std::move(*summary));
    } else {
      games.erase(id);
    }
  }
  revision = whole.revision;
  digest = claimed;
  verified_ = check;
  return changed ? Applied::changed : Applied::unchanged;
}

RemoteLibrary::Applied RemoteLibrary::verify(DigestBudget& budget, runtime::TimePoint now) {
  if (verified_ || !may_check(games.size(), budget, now)) return Applied::unchanged;
  verified_ = protocol::library_digest_of(changed_games(games, {})) == digest;
  return verified_ ? Applied::unchanged : Applied::gap;
}

bool RemoteLibrary::may_check(std::size_t count, DigestBudget& budget, runtime::TimePoint now) {
  return checks_.try_consume(now, protocol::kLibraryChecksBurst, protocol::kLibraryChecksPerSecond) &&
         budget.try_spend(count, now);
}

}  // namespace peer::sessions
