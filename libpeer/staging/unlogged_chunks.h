// Unlogged chunks: after an unclean stop, finds chunks on the disk that the progress log does not contain.
//
// Loop: none; a worker.
#pragma once

#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/tree_writer.h"

namespace peer::staging {

/// Hashes every chunk that `have` lacks in a file of full size, sets the correct ones in `have`, and syncs them.
/// `full_size`: one per file, from TreeWriter::find_full_size_files(). Cancel: checks `stop` before each chunk and
/// fails with `cancelled`. Fails: disk errors; files whose sync failed are removed.
Result<void> find_unlogged_chunks(TreeWriter& tree, const protocol::Manifest& manifest, const std::string& game,
                                  const std::vector<bool>& full_size, std::vector<bool>& have,
                                  const runtime::StopFlag& stop);

}  // namespace peer::staging
