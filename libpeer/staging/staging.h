// Staging: the files of a download in ROOT/.peerd/staging/GAME/, and their publication as ROOT/GAME.
//
//   document   the manifest as received
//   log        the chunks that are verified and durable: progress_log.h
//   tree/      the files
//   journal    exists only during publication: publication_journal.h
//
// Directories are opened component by component without following symlinks, so nothing is created outside tree/.
// Loop: none; workers. Several calls of write() may run at once, also while checkpoint() runs; every other call must
// run alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/recovery.h"
#include "libpeer/staging/user_files.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// Consecutive chunks and their bytes.
struct ChunkBatch {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::span<const std::uint8_t> bytes;
};

class Staging {
 public:
  /// Opens or creates the staging of that version, and removes a staging of another version. have() then returns the
  /// logged chunks, and after an unclean stop also the unlogged ones whose hash is correct.
  static Result<std::unique_ptr<Staging>> open(store::Disk& disk, const std::string& root, const std::string& game,
                                               const Digest& version,
                                               std::shared_ptr<const protocol::ManifestDocument> document,
                                               const runtime::StopFlag& stop);
  /// Like open(), but fails unless the missing data fits on the disk and leaves `reserve` bytes free. Fails: no_space,
  /// with the figures; a staging without any chunk is removed again.
  static Result<std::unique_ptr<Staging>> open_if_it_fits(store::Disk& disk, const std::string& root,
                                                          const std::string& game, const Digest& version,
                                                          std::shared_ptr<const protocol::ManifestDocument> document,
                                                          std::uint64_t reserve, const runtime::StopFlag& stop);
  /// The document of an unfinished download. Null if there is none of that version.
  static Result<std::shared_ptr<const protocol::ManifestDocument>> stored_document(store::Disk& disk,
                                                                                   const std::string& root,
                                                                                   const std::string& game,
                                                                                   const Digest& version);
  /// The chunks in the log of an unfinished download, without changing anything. After an unclean stop there may be
  /// more chunks. `chunks`: the number of chunks of the version.
  static std::vector<bool> logged_chunks(store::Disk& disk, const std::string& root, const std::string& game,
                                         const Digest& version, std::size_t chunks);

  ~Staging();

  std::vector<bool> have() const;
  bool has(std::uint64_t first, std::uint64_t count) const;
  /// Opens a file (an index into Manifest::files) for reading the chunks that are there. May run beside any other call.
  Result<std::shared_ptr<store::File>> open_file(std::size_t file);
  /// Verifies each chunk, then writes it. `written`: the number of chunks written. Fails: invalid at the first chunk
  /// with a wrong hash, which is not written; disk errors.
  Result<void> write(const ChunkBatch& batch, std::uint64_t& written);
  /// Makes all chunks that were written before this call durable, then logs them. After a failure, close the staging
  /// and open it again: a failed sync is never retried, so unlogged chunks are fetched again into new files.
  Result<void> checkpoint();
  /// Bytes that are written but not logged.
  std::uint64_t unlogged_bytes() const;
  /// Calls checkpoint(), then marks the log as clean, so that the next open() does not hash.
  Result<void> close_cleanly();

  /// Publishes the game; every chunk must be present. Creates empty files, directories and symlinks, sets executable
  /// bits and times, syncs, and moves tree/ to ROOT/GAME, replacing an existing game. Durable when it returns; the
  /// staging no longer exists then. `known`, `keep_own`, and what happens to the user's files: game_publisher.h.
  Result<UserFiles> publish(const library::OfferedGame* known, bool keep_own = false);

 private:
  struct Impl;
  Result<void> check_room(const std::string& root, std::uint64_t reserve);
  explicit Staging(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::staging
