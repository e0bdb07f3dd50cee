// Estimate: what a download would need, computed without changing anything.
#pragma once

#include <cstdint>
#include <string>

#include "libpeer/base/result.h"
#include "libpeer/library/library.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

struct Estimate {
  std::uint64_t total = 0;
  std::uint64_t staged = 0;    ///< received by an earlier attempt
  std::uint64_t reused = 0;    ///< found in other games
  std::uint64_t received = 0;  ///< bytes to fetch from peers
  std::uint64_t needed = 0;    ///< bytes to write to the disk
  std::uint64_t available = 0;
};

/// Loop: none; a worker. Fails: disk errors of the library root.
Result<Estimate> estimate_download(store::Disk& disk, const std::string& root, const std::string& game,
                                   const Digest& version, const protocol::Manifest& manifest,
                                   const library::Snapshot& snapshot, const runtime::StopFlag& stop);

}  // namespace peer::staging
