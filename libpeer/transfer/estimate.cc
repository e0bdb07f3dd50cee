#include "transfer/estimate.h"

#include <algorithm>

#include "transfer/progress_log.h"
#include "transfer/reuse.h"

namespace peer::transfer {

namespace {

constexpr std::uint64_t kMaxLogBytes = 256 << 20;

/// As the staging's log tells; after an unclean stop it may turn out to be more.
std::vector<bool> staged_chunks(store::Directory& root, const std::string& game, const Digest& version,
                                std::uint64_t chunks) {
  std::unique_ptr<store::Directory> at;
  for (const std::string& name : {std::string(".peerd"), std::string("staging"), game}) {
    auto next = (at ? *at : root).open_directory(name, false);
    if (!next) return std::vector<bool>(chunks);
    at = std::move(*next);
  }
  const auto log = store::read_file(*at, "log", kMaxLogBytes);
  if (!log) return std::vector<bool>(chunks);
  return parse_log(*log, version, chunks).had;
}

}  // namespace

Result<Estimate> estimate_download(store::Disk& disk, const std::string& root, const std::string& game,
                                   const Digest& version, const protocol::Manifest& manifest,
                                   const library::Snapshot& snapshot, const rt::StopFlag& stop) {
  const auto top = disk.open(root, false, false);
  if (!top) return std::unexpected(top.error());
  const auto space = (*top)->space();
  if (!space) return std::unexpected(space.error());
  const std::vector<bool> have = staged_chunks(**top, game, version, manifest.chunks.size());
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

}  // namespace peer::transfer
