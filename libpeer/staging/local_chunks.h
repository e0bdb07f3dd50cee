// Reuse: chunks of a version that lie on this disk already, in whatever game and under whatever name, are copied
// instead of fetched.
//
// Every call blocks and runs on a worker. What is copied is verified like what is fetched: a file that has changed
// since it was hashed is fetched again, and does no harm.
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

/// A missing chunk and where it lies.
struct LocalCopy {
  std::uint64_t chunk = 0;                 ///< of the version that is wanted
  std::size_t game = 0;                    ///< in LocalCopies::games
  library::GameReader::Position position;  ///< there
};

struct LocalCopies {
  std::vector<std::shared_ptr<const library::LocalGame>> games;
  std::vector<LocalCopy> copies;  ///< in the order of reading
  std::uint64_t bytes = 0;
};

/// Looks for what `have` lacks in everything that is offered here.
LocalCopies find_local_copies(const library::Snapshot& snapshot, const protocol::Manifest& wanted,
                              const std::vector<bool>& have, const runtime::StopFlag& stop);

struct Reused {
  std::size_t next = 0;               ///< where to go on
  std::vector<std::uint64_t> chunks;  ///< that were copied
};

/// Copies from `next` on, until about `limit` bytes are copied or the stop is asked for. Fails: disk errors of the
/// staging; a source that cannot be read is passed over.
Result<Reused> copy_local(store::Disk& disk, Staging& staging, const LocalCopies& copies, std::size_t next,
                          std::uint64_t limit, const runtime::StopFlag& stop);

}  // namespace peer::staging
