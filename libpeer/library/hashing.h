// Reading files for their chunk hashes, in slices short enough that the workers stay free for others.
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

inline constexpr std::uint64_t kHashSliceBytes = 32 << 20;  ///< one job reads about so much at most,
inline constexpr std::size_t kHashSliceFiles = 256;         ///< and so many files

/// The files of one game that are to be hashed. Several streams take from it, each file once.
struct HashWork {
  std::string root;
  std::string game;
  std::shared_ptr<const Bounds> bounds;
  std::shared_ptr<const ScannedGame> scan;
  std::vector<std::size_t> files;  ///< indices into scan->files
  std::atomic<std::size_t> next = 0;
};

struct HashedFile {
  enum class Verdict { hashed, changed, unreadable };
  std::size_t file;  ///< index into scan->files
  Verdict verdict;
  std::vector<Digest> chunks;  ///< if hashed
  std::int64_t begun;          ///< run()'s `now` when its reading began
  std::string reason;          ///< if unreadable
};

struct HashSlice {
  std::vector<HashedFile> files;  ///< those that were finished
  std::uint64_t bytes = 0;        ///< read
  bool done = false;              ///< nothing is left for this stream
};

/// One sequential reader. A file whose stamp is not the scanned one before or after the reading is `changed`.
/// Loop: a worker at a time.
class HashStream {
 public:
  /// `bytes_read` counts content.
  HashStream(store::Disk& disk, HashWork& work, std::atomic<std::uint64_t>& bytes_read);

  /// Goes on where it stood. `now`: the wall clock. Cancel: `stop` is looked at between chunks; the file at hand is
  /// then given up.
  HashSlice run(std::int64_t now, const runtime::StopFlag& stop);

 private:
  struct Current {
    std::size_t file;
    std::unique_ptr<store::File> handle;
    std::int64_t begun = 0;
    std::uint64_t offset = 0;
    std::vector<Digest> chunks;
  };
  /// Nothing if the file could be begun.
  std::optional<HashedFile> begin(std::size_t file, std::int64_t now);
  /// Reads one chunk; tells when the file is over.
  std::optional<HashedFile> read_chunk(std::uint64_t& bytes);
  HashedFile end(HashedFile::Verdict verdict, std::string reason = {});
  HashedFile failed(const Error& error);

  store::Disk& disk_;
  HashWork& work_;
  std::atomic<std::uint64_t>& bytes_read_;
  std::optional<DirectoryCursor> cursor_;
  std::optional<Current> current_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace peer::library
