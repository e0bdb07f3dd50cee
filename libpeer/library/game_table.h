// GameTable: the games that the library tracks, by directory name.
//
// It passes every change of a game's state on to the catalogue. Loop: the library's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "libpeer/library/catalogue.h"
#include "libpeer/library/game_entry.h"
#include "libpeer/library/library.h"
#include "libpeer/library/scan.h"
#include "libpeer/runtime/event.h"

namespace peer::library {

class GameTable {
 public:
  using Entries = std::map<std::string, std::shared_ptr<GameEntry>>;

  /// References must outlive it.
  GameTable(runtime::Executor& executor, const LibraryOptions& options, std::shared_ptr<const LinkPolicy> bounds,
            Catalogue& catalogue)
      : executor_(executor), options_(options), bounds_(std::move(bounds)), catalogue_(catalogue) {}

  const Entries& entries() const noexcept { return entries_; }
  /// Null if there is no such game.
  std::shared_ptr<GameEntry> find(const std::string& name) const;

  /// Returns the number of a listing that begins now. apply() keeps games that are added after this call.
  std::uint64_t begin_listing() noexcept { return ++listings_; }
  /// Adds and removes games so that the table matches the listing. `listing`: its number.
  void apply(const FoundGames& found, std::uint64_t listing);
  /// The entry for a game that a download put into the first root. It replaces a game of that name in a later root.
  std::shared_ptr<GameEntry> entry_to_adopt(const std::string& name);
  /// Cancels a running scan of the game, if it is still in the table, and removes it.
  void remove(const GameEntry& entry);

  /// Shows the new state, unless the entry was removed. `within`: see Catalogue::put().
  void show(GameEntry& entry, LocalGame game, runtime::Duration within = Catalogue::kGather);

  /// Requests a scan of the game now.
  void request_scan(GameEntry& entry);
  /// The same for a mismatch that a reader found: at most one scan in kMismatchScanInterval, since remotes cause reads.
  void request_mismatch_scan(GameEntry& entry);
  static constexpr runtime::Duration kMismatchScanInterval = std::chrono::seconds(10);
  /// Set when a scan or a listing may have become due earlier.
  runtime::Event& schedule_changed() noexcept { return schedule_changed_; }

 private:
  std::shared_ptr<GameEntry> add(const std::string& name, const std::string& root);

  runtime::Executor& executor_;
  const LibraryOptions& options_;
  const std::shared_ptr<const LinkPolicy> bounds_;
  Catalogue& catalogue_;
  Entries entries_;
  std::uint64_t listings_ = 0;
  runtime::Event schedule_changed_;
};

}  // namespace peer::library
