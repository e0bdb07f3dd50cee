// HashStream: reads files and hashes their chunks, in slices short enough to leave the workers free for other jobs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/library/directory_cursor.h"
#include "libpeer/library/scan.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::library {

inline constexpr std::uint64_t kHashSliceBytes = 32 << 20;  ///< approximate limit per slice
inline constexpr std::size_t kHashSliceFiles = 256;         ///< limit per slice

/// The files of one game that have to be hashed. Several streams share it; each file goes to one of them.
struct HashWork {
  std::string root;
  std::string game;
  std::shared_ptr<const LinkPolicy> bounds;
  std::shared_ptr<const ScannedGame> scan;
  std::vector<std::size_t> files;     ///< indices into scan->files
  std::atomic<std::size_t> next = 0;  ///< index into `files`
};

enum class HashOutcome { hashed, changed, unreadable };

struct HashedFile {
  std::size_t file;  ///< index into scan->files
  HashOutcome outcome;
  std::vector<Digest> chunks;  ///< if hashed
  std::int64_t begun;          ///< run()'s `now` when reading began
  std::string reason;          ///< if unreadable
};

struct HashSlice {
  std::vector<HashedFile> files;  ///< files that were finished
  std::uint64_t bytes = 0;        ///< bytes read
  bool done = false;              ///< no work is left for this stream
};

/// One sequential reader. A file is `changed` if its stamp differs from the scanned one before or after it is read.
/// Loop: none; one worker at a time.
class HashStream {
 public:
  /// `bytes_read` is increased by every read. References must outlive it.
  HashStream(store::Disk& disk, HashWork& work, std::atomic<std::uint64_t>& bytes_read);

  /// Hashes the next slice. `now`: the wall clock. Cancel: `stop` is checked between chunks; the current file is then
  /// dropped.
  HashSlice run(std::int64_t now, const runtime::StopFlag& stop);

 private:
  struct FileInProgress {
    std::size_t file;
    std::unique_ptr<store::File> handle;
    std::int64_t begun = 0;
    std::uint64_t offset = 0;
    std::vector<Digest> chunks;
  };
  /// Opens a file. Returns a result only if that fails.
  std::optional<HashedFile> begin(std::size_t file, std::int64_t now);
  /// Hashes one chunk. Returns a result when the file is finished.
  std::optional<HashedFile> read_chunk(std::uint64_t& bytes);
  HashedFile end(HashOutcome outcome, std::string reason = {});
  HashedFile failed(const Error& error);

  store::Disk& disk_;
  HashWork& work_;
  std::atomic<std::uint64_t>& bytes_read_;
  std::optional<DirectoryCursor> cursor_;
  std::optional<FileInProgress> current_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace peer::library
