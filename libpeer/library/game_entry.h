// GameEntry: one game's directory, as the library tracks it.
//
// Loop: the library's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/library/installed.h"
#include "libpeer/library/scan.h"
#include "libpeer/library/scan_schedule.h"
#include "libpeer/library/snapshot.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::library {

struct GameEntry {
  GameEntry(std::string directory_name, std::string library_root);

  const std::string name;
  const std::string root;
  std::vector<std::string> shadowed_roots;         ///< later roots with a game of the same name
  LocalGame shown;                                 ///< what the catalogue shows
  std::uint64_t added_at_listing = 0;              ///< number of the latest listing at that time
  bool removed = false;                            ///< no longer in the library; a running scan must show nothing
  bool cache_distrusted = false;                   ///< the cached hashes may be wrong: hash every file again
  bool mismatch_reported = false;                  ///< a reader found content that does not match what is shown
  runtime::TimePoint next_mismatch_scan{};         ///< reports of mismatches cause no scan before
  std::shared_ptr<const InstalledRecord> record;   ///< null: the game is an own game
  store::FileStamp ignored_record{};               ///< stamp of an installed record without an intact chunk
  runtime::Semaphore turn{1};                      ///< held by a scan or an adoption: one at a time
  runtime::CancellationSource* running = nullptr;  ///< cancels the scan that holds the turn
  ScanSchedule schedule;
  FutureTimestamps future_timestamps;
  int root_failures = 0;  ///< consecutive scans that could not open the root
};

/// What to show of the game after a scan, without an offered version.
LocalGame describe(const GameEntry& entry, const ScannedGame& scan, GameState state);

}  // namespace peer::library
