// Probes of the doctor: how fast this machine's disk and hashing are, and which games are in two library roots. Every
// function blocks and runs on a worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libpeer/api/answers.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::node {

inline constexpr std::uint64_t kProbeBytes = 64 << 20;

struct DiskProbe {
  store::Space space;
  std::uint64_t written = 0;  ///< 0: there is too little space for the probe
};

/// Writes a file of kProbeBytes below the library root, syncs it, reads it back and deletes it. Creates no directory.
/// Fails: disk_error, without an errno if the disk returned different bytes than were written.
Result<DiskProbe> probe_disk(store::Disk& disk, const std::string& root, std::uint64_t reserve,
                             const runtime::StopFlag& stop);

/// Hashes kProbeBytes; returns how many were hashed before a stop.
std::uint64_t probe_hash(const runtime::StopFlag& stop);

/// A finding for each root that cannot be read, and for each game id that exists in two roots.
std::vector<api::Finding> find_duplicate_games(store::Disk& disk, const std::vector<std::string>& roots);

}  // namespace peer::node
