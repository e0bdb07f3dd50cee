// Verifier: reads an installed game completely and compares it with the hashes in its manifest.
//
// Unlike the library it ignores stamps, so it finds data that the disk has corrupted. Loop: none; a worker, one call at
// a time.
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
           std::shared_ptr<const protocol::ManifestDocument> document,
           std::shared_ptr<const library::LinkPolicy> bounds);

  /// Reads about that many bytes. Returns how many it read. Fails: the game's directory cannot be opened.
  Result<std::uint64_t> read(std::uint64_t bytes, const runtime::StopFlag& stop);
  bool done() const noexcept { return done_; }
  /// Files and symlinks that differ from the manifest, in manifest order.
  const std::vector<std::string>& damaged() const noexcept { return damaged_; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }
  /// Progress in bytes. Unreadable data counts as done.
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
  const std::shared_ptr<const library::LinkPolicy> bounds_;
  std::optional<library::DirectoryCursor> cursor_;
  std::size_t file_ = 0;  ///< index of the current file
  std::unique_ptr<store::File> handle_;
  std::size_t chunk_ = 0;  ///< index in the current file
  std::vector<std::uint8_t> buffer_;
  std::vector<std::string> damaged_;
  std::uint64_t bytes_read_ = 0;
  const std::uint64_t bytes_total_;
  std::uint64_t bytes_before_ = 0;  ///< total size of the files before the current one
  bool done_ = false;
};

}  // namespace peer::staging
