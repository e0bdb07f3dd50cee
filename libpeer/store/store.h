// Store: the daemon's small durable state (hash cache, downloads, bans, pairings). SQLite; every call blocks and runs
// on the store's one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace peer::store {

/// What identifies a file's content without reading it.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< ns
  std::int64_t ctime = 0;  ///< ns
  std::uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};

/// The chunk hashes of one file as it was under that stamp.
struct CachedFile {
  std::string path;  ///< relative to the game
  FileStamp stamp;
  std::vector<Digest> chunks;
  /// Set where the file system does not keep the executable bit that the file was installed with.
  std::optional<bool> executable{};
};

/// A download that was asked for and is not over.
struct StoredDownload {
  std::string game;
  Digest version;
  std::string options;  ///< owned by the layer above
  std::int64_t position = 0;
  bool paused = false;          ///< by a person
  std::uint64_t received = 0;   ///< chunk payload since it first began
  std::int64_t elapsed_ms = 0;  ///< time for which it was active,
  std::uint64_t timed = 0;      ///< and the payload of that time; less than `received` in rows that 0.1.0 began
};

/// A peer that is not dealt with.
struct StoredBan {
  PeerId peer;
  std::string name;  ///< as it was called then
  std::string reason;
};

/// A peer that paired mode lets in.
struct StoredPairing {
  PeerId peer;
  std::string name;  ///< as it was called last
};

class Store {
 public:
  virtual ~Store() = default;

  /// All cached files of a game, in no order. `root` is the library root's path.
  virtual Result<std::vector<CachedFile>> load_game(std::string_view root, std::string_view game) = 0;
  /// Replaces the rows of those files.
  virtual Result<void> save_files(std::string_view root, std::string_view game,
                                  const std::vector<CachedFile>& files) = 0;
  /// Drops the rows of files of that game that are not in `keep` (sorted).
  virtual Result<void> prune_game(std::string_view root, std::string_view game,
                                  const std::vector<std::string>& keep) = 0;
  virtual Result<void> forget_game(std::string_view root, std::string_view game) = 0;

  virtual Result<std::vector<StoredDownload>> downloads() = 0;
  virtual Result<void> put_download(const StoredDownload& download) = 0;
  virtual Result<void> remove_download(std::string_view game) = 0;

  virtual Result<std::vector<StoredBan>> bans() = 0;
  virtual Result<void> put_ban(const StoredBan& ban) = 0;
  virtual Result<void> remove_ban(const PeerId& peer) = 0;

  virtual Result<std::vector<StoredPairing>> pairings() = 0;
  virtual Result<void> put_pairing(const StoredPairing& pairing) = 0;
  virtual Result<void> remove_pairing(const PeerId& peer) = 0;

  /// Small values by key; empty if there is none.
  virtual Result<std::string> get(std::string_view key) = 0;
  virtual Result<void> put(std::string_view key, std::string_view value) = 0;
};

/// Opens or creates the database (":memory:" for tests). A damaged one is moved aside (NAME.damaged-N), said in the
/// log, and a new one begun. Fails: when the place cannot be written.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Log& log);

}  // namespace peer::store
