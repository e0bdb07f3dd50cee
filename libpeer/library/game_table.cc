#include "libpeer/library/game_table.h"

#include <algorithm>

#include "libpeer/library/watcher.h"

namespace peer::library {

std::shared_ptr<GameEntry> GameTable::find(const std::string& name) const {
  const auto at = entries_.find(name);
  return at != entries_.end() ? at->second : nullptr;
}

std::shared_ptr<GameEntry> GameTable::add(const std::string& name, const std::string& root) {
  auto entry = std::make_shared<GameEntry>(name, root);
  entry->added_at_listing = listings_;
  entry->shown.bounds = bounds_;
  entries_[name] = entry;
  return entry;
}

void GameTable::remove(const GameEntry& entry) {
  const auto at = entries_.find(entry.name);
  if (at == entries_.end() || at->second.get() != &entry) return;
  const std::shared_ptr<GameEntry> removed = at->second;
  removed->removed = true;
  if (removed->running != nullptr) removed->running->request();
  if (options_.watcher != nullptr) options_.watcher->forget({removed->root, removed->name});
  catalogue_.remove(removed->shown.id);
  entries_.erase(at);
}

void GameTable::apply(const FoundGames& found, std::uint64_t listing) {
  std::vector<std::shared_ptr<GameEntry>> lost;
  for (const auto& [name, entry] : entries_) {
    const auto at = std::ranges::lower_bound(found.games, name, {}, &FoundGame::name);
    const bool listed = at != found.games.end() && at->name == name && at->root == entry->root;
    const bool root_unreadable = std::ranges::any_of(
        found.failures, [&](const FailedRoot& failed) { return failed.root == entry->root && !failed.missing(); });
    // An entry that was added during the listing may have appeared behind the listing's position.
    if (!listed && !root_unreadable && entry->added_at_listing < listing) lost.push_back(entry);
  }
  for (const auto& entry : lost) remove(*entry);
  for (const FoundGame& game : found.games) {
    std::shared_ptr<GameEntry> entry = find(game.name);
    const bool added = entry == nullptr;
    if (added) entry = add(game.name, game.root);
    if (entry->root != game.root) continue;  // the entry's own root is unreadable at the moment
    entry->shadowed_roots = game.shadowed_roots;
    if (added) show(*entry, entry->shown);
    if (added || entry->root_failures > 0) request_scan(*entry);
  }
}

std::shared_ptr<GameEntry> GameTable::entry_to_adopt(const std::string& name) {
  const std::shared_ptr<GameEntry> existing = find(name);
  if (existing && existing->root == options_.roots.front()) return existing;
  std::vector<std::string> shadowed;
  if (existing) {  // the first root takes precedence from now on
    shadowed = existing->shadowed_roots;
    shadowed.insert(shadowed.begin(), existing->root);
    remove(*existing);
  }
  std::shared_ptr<GameEntry> entry = add(name, options_.roots.front());
  entry->shadowed_roots = std::move(shadowed);
  return entry;
}

void GameTable::show(GameEntry& entry, LocalGame game, runtime::Duration within) {
  if (entry.removed) return;
  game.bounds = entry.shown.bounds;
  entry.shown = std::move(game);
  catalogue_.put(std::make_shared<const LocalGame>(entry.shown), within);
}

void GameTable::request_scan(GameEntry& entry) {
  entry.schedule.request(executor_.now());
  schedule_changed_.set();
}

void GameTable::request_mismatch_scan(GameEntry& entry) {
  const runtime::TimePoint now = executor_.now();
  entry.schedule.request_by(std::max(now, entry.next_mismatch_scan));
  entry.next_mismatch_scan = std::max(now, entry.next_mismatch_scan) + kMismatchScanInterval;
  schedule_changed_.set();
}

}  // namespace peer::library
