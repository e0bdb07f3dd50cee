// ProgressLog: which chunks of a download are had and durable: an append-only file of checksummed records.
//
//   header  8 bytes magic, 32 bytes version, 8 bytes checksum
//   record  8 bytes kind (1 had, 2 clean), 8 first, 8 count, 8 checksum; all little-endian
//
// A checksum is BLAKE3's first 8 bytes over the version, the record's position and its content, so that a record means
// nothing in another place or log. What follows the first record that does not check is ignored.
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

/// The runs of set flags.
std::vector<ChunkRun> runs_of(const std::vector<bool>& flags);

struct LogContent {
  std::vector<bool> had;  ///< one a chunk
  bool clean = false;     ///< it ends with the mark that nothing unlogged is left
};

/// Total: bytes that are no log, or one of another version, tell of nothing had.
LogContent parse_log(std::span<const std::uint8_t> bytes, const Digest& version, std::uint64_t chunks);

/// Every call blocks; one at a time.
class ProgressLog {
 public:
  static constexpr std::size_t kHeaderSize = 48;
  static constexpr std::size_t kRecordSize = 32;

  /// Replaces the log `name` by one that tells of `had`, and opens it for more; durable when it returns.
  static Result<std::unique_ptr<ProgressLog>> begin(store::Directory& directory, std::string_view name,
                                                    const Digest& version, const std::vector<bool>& had);

  /// Durable when it returns. After a failure the log is not to be used any more.
  Result<void> append(const std::vector<ChunkRun>& had, bool clean);

 private:
  ProgressLog(std::unique_ptr<store::File> file, const Digest& version, std::uint64_t end)
      : file_(std::move(file)), version_(version), end_(end) {}

  std::unique_ptr<store::File> file_;
  Digest version_;
  std::uint64_t end_;
};

}  // namespace peer::staging
