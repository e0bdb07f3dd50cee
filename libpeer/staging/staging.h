// Staging: a download's files below ROOT/.peerd/staging/GAME/, its progress log, and their publication as ROOT/GAME.
//
//   document   the manifest as it was received
//   log        what is had and durable: progress_log.h
//   tree/      the files
//   journal    only while tree/ and an older ROOT/GAME change places: publication.h
//
// Every call blocks and runs on a worker; write() may run on several at once, the others one at a time and not beside a
// write. (checkpoint() may run beside write().) Directories are walked component by component without following
// symlinks: nothing is ever created outside tree/.
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
#include "libpeer/staging/user_files.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// Ends what a crash interrupted while a download was put in place; at the start, before any staging is opened.
Result<std::vector<UserFiles>> recover(store::Disk& disk, const std::string& root);

/// A verified write's input: consecutive chunks and their bytes.
struct ChunkBatch {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::span<const std::uint8_t> bytes;
};

class Staging {
 public:
  /// Opens or creates the staging of that version; one of another version is removed. Afterwards have() tells which
  /// chunks lie here already: the logged ones, and after an unclean stop also what turns out right when hashed.
  static Result<std::unique_ptr<Staging>> open(store::Disk& disk, const std::string& root, const std::string& game,
                                               const Digest& version,
                                               std::shared_ptr<const protocol::ManifestDocument> document,
                                               const runtime::StopFlag& stop);
  /// As open(), if what is missing fits and leaves `reserve` bytes free. Fails: no_space with the figures; a staging in
  /// which nothing lies yet is removed again.
  static Result<std::unique_ptr<Staging>> open_if_it_fits(store::Disk& disk, const std::string& root,
                                                          const std::string& game, const Digest& version,
                                                          std::shared_ptr<const protocol::ManifestDocument> document,
                                                          std::uint64_t reserve, const runtime::StopFlag& stop);
  /// The document of an unfinished download, if there is one of that version.
  static Result<std::shared_ptr<const protocol::ManifestDocument>> stored_document(store::Disk& disk,
                                                                                   const std::string& root,
                                                                                   const std::string& game,
                                                                                   const Digest& version);
  /// What the log of an unfinished download says is had, without touching anything; after an unclean stop it may turn
  /// out to be more. `chunks`: of the version.
  static std::vector<bool> logged_chunks(store::Disk& disk, const std::string& root, const std::string& game,
                                         const Digest& version, std::size_t chunks);

  ~Staging();

  std::vector<bool> have() const;
  bool has(std::uint64_t first, std::uint64_t count) const;
  /// To read from, beside everything else: what is had of that file (an index into Manifest::files).
  Result<std::shared_ptr<store::File>> open_file(std::size_t file);
  /// Verifies each chunk, then writes it. Fails: invalid if a hash is wrong: nothing from that chunk on was written,
  /// and `written` counts the chunks before it; disk errors.
  Result<void> write(const ChunkBatch& batch, std::uint64_t& written);
  /// Makes all chunks that were written before this call durable, then logs them. After a failure the staging is to be
  /// closed and opened again: what was not logged is fetched again into new files (a failed sync is never retried).
  Result<void> checkpoint();
  /// Bytes written and not yet logged.
  std::uint64_t unlogged_bytes() const;
  /// checkpoint(), and a mark that nothing unlogged is left: the next open() need not hash.
  Result<void> close_cleanly();

  /// All chunks are had: creates the empty files, directories and symlinks, sets bits and times, syncs, and renames
  /// tree/ to ROOT/GAME; durable when it returns. A game that is there already changes places with it, and the user's
  /// files in it are kept: publication.h. The staging is gone afterwards. `known`, `keep_own`: put_in_place()'s.
  Result<UserFiles> publish(const library::OfferedGame* known, bool keep_own = false);

 private:
  struct Impl;
  Result<void> check_room(const std::string& root, std::uint64_t reserve);
  explicit Staging(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::staging
