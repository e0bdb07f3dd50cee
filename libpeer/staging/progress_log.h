// ProgressLog: records which chunks of a download are verified and durable, in an append-only file.
//
//   header  8 bytes magic, 32 bytes version, 8 bytes checksum
//   record  8 bytes kind (1 have, 2 clean), 8 first, 8 count, 8 checksum; all little-endian
//
// A checksum is the first 8 bytes of the BLAKE3 hash of the version, the record's position and its content, so that a
// record is invalid at another position or in another log. Everything after the first invalid record is ignored.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

struct ChunkRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const ChunkRun&) const = default;
};

/// Returns the runs of consecutive set flags.
std::vector<ChunkRun> runs_of(const std::vector<bool>& flags);

struct LogContent {
  std::vector<bool> have;  ///< one per chunk
  bool clean = false;      ///< the log ends with the mark of a clean stop: there are no unlogged chunks
};

/// Never fails: if the bytes are not a log of this version, no chunk is set.
LogContent parse_log(std::span<const std::uint8_t> bytes, const Digest& version, std::uint64_t chunks);

/// Loop: none; a worker, one call at a time.
class ProgressLog {
 public:
  static constexpr std::size_t kHeaderSize = 48;
  static constexpr std::size_t kRecordSize = 32;

  /// Replaces the log `name` by one that contains `have`, and opens it for appending. Durable when it returns.
  static Result<std::unique_ptr<ProgressLog>> begin(store::Directory& directory, std::string_view name,
                                                    const Digest& version, const std::vector<bool>& have);

  /// Durable when it returns. `clean`: also writes the mark of a clean stop. After a failure the log must not be used.
  Result<void> append(const std::vector<ChunkRun>& have, bool clean);

 private:
  ProgressLog(std::unique_ptr<store::File> file, const Digest& version, std::uint64_t end)
      : file_(std::move(file)), version_(version), end_(end) {}

  std::unique_ptr<store::File> file_;
  Digest version_;
  std::uint64_t end_;
};

}  // namespace peer::staging
