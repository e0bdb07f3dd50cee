// Local chunks: chunks of the wanted version that other games on this machine contain are copied instead of fetched.
//
// Copied chunks are verified like fetched ones. If a file has changed since it was hashed, its chunks are fetched.
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libpeer/library/game_reader.h"
#include "libpeer/library/library.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/staging.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// A missing chunk, and where a copy of it is.
struct LocalCopy {
  std::uint64_t chunk = 0;                 ///< index in the wanted version
  std::size_t game = 0;                    ///< index in LocalCopies::games
  library::GameReader::Position position;  ///< position in that game
};

struct LocalCopies {
  std::vector<std::shared_ptr<const library::LocalGame>> games;
  std::vector<LocalCopy> copies;  ///< in the order in which they are read
  std::uint64_t bytes = 0;
};

/// Finds copies of the chunks that `have` lacks, in all games that the snapshot offers. Takes n log n steps for n
/// chunks with any hashes. Cancel: ends soon after `stop` is requested, with what it has found.
LocalCopies find_local_copies(const library::Snapshot& snapshot, const protocol::Manifest& wanted,
                              const std::vector<bool>& have, const runtime::StopFlag& stop);

struct Reused {
  std::size_t next = 0;               ///< index of the next copy
  std::vector<std::uint64_t> chunks;  ///< the chunks that were copied
};

/// Copies from `next` on, until about `limit` bytes are copied or `stop` is requested. A copy that cannot be read is
/// skipped. Fails: disk errors of the staging.
Result<Reused> copy_local(store::Disk& disk, Staging& staging, const LocalCopies& copies, std::size_t next,
                          std::uint64_t limit, const runtime::StopFlag& stop);

}  // namespace peer::staging
