// GameScanner: scans one game, hashes what the cache does not know, and decides what is offered of it.
//
// A scan ends with the game shown as ready, modified, unshareable or damaged, or as hashing with a time for the next
// scan. Loop: the library's. Cancel: between jobs; hashes that are complete by then are in the cache.
#pragma once

#include <memory>
#include <optional>

#include "libpeer/library/assembly.h"
#include "libpeer/library/game_hasher.h"
#include "libpeer/library/game_table.h"
#include "libpeer/library/hash_cache.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::library {

class GameScanner {
 public:
  static constexpr std::size_t kScans = 8;    ///< games scanned at the same time
  static constexpr int kMaxTries = 4;         ///< scans of one patient call
  static constexpr int kMaxRootFailures = 3;  ///< scans that fail at the root before the game counts as damaged

  /// All arguments must outlive it.
  GameScanner(runtime::Scope& scope, store::Disk& disk, runtime::Workers& workers, const LibraryOptions& options,
              const Log& log, HashCache& cache, GameTable& games)
      : scope_(scope),
        disk_(disk),
        workers_(workers),
        options_(options),
        log_(log),
        cache_(cache),
        games_(games),
        hasher_(scope, disk, workers, options, cache, games) {}

  /// Scans the game once. `patient`: scans again, up to kMaxTries times, until the game is at rest.
  runtime::Task<void> scan(std::shared_ptr<GameEntry> entry, bool patient, runtime::CancellationToken token);

  /// Bytes of file content read so far. Loop: any thread.
  std::uint64_t bytes_read() const noexcept { return hasher_.bytes_read(); }

 private:
  using RescanAfter = std::optional<runtime::Duration>;  ///< nothing: the scan has a final result
  /// What a scan on a worker found.
  struct ScanResult {
    std::shared_ptr<const ScannedGame> scan;  ///< null: the root or the installed record could not be read
    Comparison comparison;
    Error root_error{};  ///< set if `scan` is null
    std::shared_ptr<const InstalledRecord> record{};
  };
  class RunningScan;

  runtime::Task<RescanAfter> scan_once(GameEntry& entry, runtime::CancellationToken token);
  runtime::Task<Result<ScanResult>> scan_on_worker(GameEntry& entry, runtime::CancellationToken token);
  /// Hashes and offers a game that no download installed.
  runtime::Task<RescanAfter> offer_own(GameEntry& entry, std::shared_ptr<const ScannedGame> scan, bool intact,
                                       runtime::CancellationToken token);
  /// Hashes an installed game's changed files, and offers the installed version without the chunks that are not intact.
  runtime::Task<RescanAfter> offer_installed(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                             runtime::CancellationToken token);
  runtime::Task<InstalledMatch> match_with_record(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                                  const KnownChunks& known, runtime::CancellationToken token);
  runtime::Task<KnownChunks> consult_cache(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                           runtime::CancellationToken token);
  /// Hashes the files that `known` lacks. Returns nothing if `known` is now complete and the game did not change
  /// meanwhile.
  runtime::Task<std::optional<RescanAfter>> hash_missing(GameEntry& entry, std::shared_ptr<const ScannedGame> scan,
                                                         KnownChunks& known, runtime::CancellationToken token);
  runtime::Task<void> offer_assembled(GameEntry& entry, std::shared_ptr<const ScannedGame> scan, KnownChunks known,
                                      runtime::CancellationToken token);

  /// How long the game has to rest before it is hashed; nothing: it is at rest.
  RescanAfter time_to_rest(GameEntry& entry, const ScannedGame& scan, bool all_cached) const;
  RescanAfter on_scan_failed(GameEntry& entry, const Error& error);
  RescanAfter on_root_failed(GameEntry& entry, const Error& error);
  /// The delay after a game changed while it was hashed.
  runtime::Duration delay_after_change() const;
  void show_match(GameEntry& entry, const ScannedGame& scan, const InstalledMatch& match, GameState state);

  runtime::Scope& scope_;
  store::Disk& disk_;
  runtime::Workers& workers_;
  const LibraryOptions& options_;
  const Log& log_;
  HashCache& cache_;
  GameTable& games_;
  GameHasher hasher_;
  runtime::Semaphore scans_{kScans};
};

}  // namespace peer::library
