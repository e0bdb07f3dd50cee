// GameHasher: hashes the files of a game whose hashes are unknown, and saves them in the hash cache.
//
// The files of one root are read by few streams at a time, so that a rotational disk does not seek between them.
// Loop: the library's.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/library/assembly.h"
#include "libpeer/library/game_table.h"
#include "libpeer/library/hash_cache.h"
#include "libpeer/library/hash_stream.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/semaphore.h"

namespace peer::library {

/// The hashing of one game. Loop: the library's; `work` is shared with the streams on the workers.
struct GameHashRun {
  /// Hashes the files in `hashes.missing`.
  GameHashRun(GameEntry& game, std::shared_ptr<const ScannedGame> scanned, KnownChunks hashes);

  GameEntry& entry;
  std::shared_ptr<const ScannedGame> scan;
  KnownChunks known;
  HashWork work;
  std::uint64_t bytes_hashed = 0;
  bool changed = false;             ///< a file changed while it was read, or since the scan
  std::vector<Problem> unreadable;  ///< files that could not be read
  std::vector<store::CachedFile> unsaved;
  std::uint64_t unsaved_bytes = 0;
};

class GameHasher {
 public:
  static constexpr std::size_t kStreams = 2;  ///< files read at the same time in one root
  static constexpr std::size_t kGames = 2;    ///< games hashed at the same time in one root

  /// All arguments must outlive it.
  GameHasher(runtime::Scope& scope, store::Disk& disk, runtime::Workers& workers, const LibraryOptions& options,
             HashCache& cache, GameTable& games)
      : scope_(scope), disk_(disk), workers_(workers), options_(options), cache_(cache), games_(games) {}

  /// Hashes the files, and shows the progress. The result is in `run`. Cancel: after the current chunk; the finished
  /// files are saved first.
  runtime::Task<void> hash(GameHashRun& run, runtime::CancellationToken token);

  /// Bytes of file content read so far. Loop: any thread.
  std::uint64_t bytes_read() const noexcept { return bytes_read_.load(std::memory_order_relaxed); }

 private:
  struct RootLimits {
    runtime::Semaphore games{kGames};
    runtime::Semaphore streams{kStreams};
  };

  static runtime::Task<void> run_stream(GameHasher* self, GameHashRun* run, runtime::CancellationToken token);
  void add_slice(GameHashRun& run, HashSlice slice);
  runtime::Task<void> save(GameHashRun& run, runtime::CancellationToken token);

  runtime::Scope& scope_;
  store::Disk& disk_;
  runtime::Workers& workers_;
  const LibraryOptions& options_;
  HashCache& cache_;
  GameTable& games_;
  std::map<std::string, RootLimits> limits_;
  std::atomic<std::uint64_t> bytes_read_ = 0;
};

}  // namespace peer::library
