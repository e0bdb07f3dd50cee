// RootMonitor: lists the games in the library's roots, and decides when to list them again.
//
// inotify cannot report that a missing root has returned, so missing roots are checked every 2 s.
// Loop: the library's.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/library/game_table.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::library {

class RootMonitor {
 public:
  /// All arguments must outlive it.
  RootMonitor(runtime::Executor& executor, store::Disk& disk, runtime::Workers& workers, const LibraryOptions& options,
              const Log& log, Catalogue& catalogue, GameTable& games);

  /// Lists every root and updates the game table. Logs roots and games that cannot be used, each problem once.
  runtime::Task<void> list(runtime::CancellationToken token);
  /// Whether one of the missing roots can be opened again.
  runtime::Task<bool> has_missing_root_returned(runtime::CancellationToken token);

  void note_change(runtime::TimePoint now) noexcept { changes_.note(now); }
  runtime::TimePoint next_listing() const noexcept;
  runtime::TimePoint next_missing_check() const noexcept { return next_missing_check_; }

 private:
  void report(const FoundGames& found);
  void schedule(const FoundGames& found);

  runtime::Executor& executor_;
  store::Disk& disk_;
  runtime::Workers& workers_;
  const LibraryOptions& options_;
  const Log& log_;
  Catalogue& catalogue_;
  GameTable& games_;
  std::set<std::string> reported_;  ///< problems found by the last listing
  ChangeDebounce changes_;          ///< of the roots' own entries, since the last listing began
  std::vector<std::string> missing_;
  runtime::TimePoint next_listing_ = runtime::TimePoint::max();
  runtime::TimePoint next_missing_check_ = runtime::TimePoint::max();
  runtime::Duration retry_;  ///< delay until an unreadable root is listed again
};

}  // namespace peer::library
