// StagedChunks: which chunks of a download are verified, and which of them the progress log does not contain yet.
//
// Loop: any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/staging/progress_log.h"

namespace peer::staging {

class StagedChunks {
 public:
  /// Chunks that are verified but not logged.
  struct Unlogged {
    std::vector<ChunkRun> runs;  ///< sorted, without adjacent runs
    std::uint64_t bytes = 0;
  };

  /// Replaces the state by chunks that are logged.
  void reset(std::vector<bool> have);

  std::vector<bool> have() const;
  bool has(std::uint64_t chunk) const;
  /// False after a failure: the chunks may not be on the disk.
  bool has_all(std::uint64_t first, std::uint64_t count) const;
  bool complete() const;
  bool empty() const;

  /// The chunk is verified and written.
  void mark_have(std::uint64_t chunk, std::uint64_t bytes);
  /// Bytes that are written but not logged.
  std::uint64_t unlogged_bytes() const;
  /// Removes the unlogged runs for logging. Their bytes still count as unlogged until on_logged(). Fails: the recorded
  /// failure.
  Result<Unlogged> extract_unlogged();
  void on_logged(std::uint64_t bytes);

  /// After a failed sync nothing more is logged. The first failure is kept; returns `error`.
  std::unexpected<Error> record_failure(Error error);
  /// Fails: the recorded failure.
  Result<void> check_usable() const;

 private:
  mutable std::mutex mutex_;
  std::vector<bool> have_;
  std::vector<ChunkRun> unlogged_;
  std::uint64_t unlogged_bytes_ = 0;
  std::optional<Error> failure_;
};

}  // namespace peer::staging
