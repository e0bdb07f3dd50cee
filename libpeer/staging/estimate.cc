#include "libpeer/staging/estimate.h"

#include <algorithm>

#include "libpeer/staging/local_chunks.h"
#include "libpeer/staging/staging.h"

namespace peer::staging {

Result<Estimate> estimate_download(store::Disk& disk, const std::string& root, const std::string& game,
                                   const Digest& version, const protocol::Manifest& manifest,
                                   const library::Snapshot& snapshot, const runtime::StopFlag& stop) {
  const auto top = disk.open(root, false, false);
  if (!top) return std::unexpected(top.error());
  const auto space = (*top)->space();
  if (!space) return std::unexpected(space.error());
  const std::vector<bool> have = Staging::logged_chunks(disk, root, game, version, manifest.chunks.size());
  Estimate estimate;
  estimate.total = manifest.total_size();
  for (std::size_t chunk = 0; chunk < have.size(); ++chunk) {
    if (have[chunk]) estimate.staged += manifest.place(chunk).size;
  }
  estimate.reused = find_local_copies(snapshot, manifest, have, stop).bytes;
  estimate.needed = estimate.total - estimate.staged;
  estimate.received = estimate.needed - std::min(estimate.needed, estimate.reused);
  estimate.available = space->available;
  return estimate;
}

}  // namespace peer::staging
