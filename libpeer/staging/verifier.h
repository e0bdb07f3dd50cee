// Verifier: an installed game's files, read whole and compared with the hashes of its manifest.
//
// Unlike the library it trusts no stamp: what a disk has changed by itself is found. Every call blocks and runs on a
// worker, one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/directory_cursor.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

class Verifier {
 public:
  Verifier(store::Disk& disk, std::string root, std::string game,
           std::shared_ptr<const protocol::ManifestDocument> document, std::shared_ptr<const library::Bounds> bounds);

  /// Reads on, about so many bytes; how many it were. Fails: when the game itself cannot be opened.
  Result<std::uint64_t> read(std::uint64_t bytes, const runtime::StopFlag& stop);
  bool done() const noexcept { return done_; }
  /// Files and links that are not what the manifest says, in its order.
  const std::vector<std::string>& damaged() const noexcept { return damaged_; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }
  /// How far it is. What could not be read counts as well.
  std::uint64_t bytes_done() const noexcept { return bytes_before_ + chunk_ * protocol::kChunkSize; }

 private:
  bool begin_file();
  void read_chunk();
  void next_file(bool good);
  void check_links();

  store::Disk& disk_;
  const std::string root_;
  const std::string game_;
  const std::shared_ptr<const protocol::ManifestDocument> document_;
  const std::shared_ptr<const library::Bounds> bounds_;
  std::optional<library::DirectoryCursor> cursor_;
  std::size_t file_ = 0;  ///< the one at hand
  std::unique_ptr<store::File> handle_;
  std::size_t chunk_ = 0;  ///< in the file at hand
  std::vector<std::uint8_t> buffer_;
  std::vector<std::string> damaged_;
  std::uint64_t bytes_read_ = 0;
  const std::uint64_t bytes_total_;
  std::uint64_t bytes_before_ = 0;  ///< sizes of the files before the one at hand
  bool done_ = false;
};

}  // namespace peer::staging
