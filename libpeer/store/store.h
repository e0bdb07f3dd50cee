// Store: the daemon's small durable state (hash cache, downloads, bans, pairings), in SQLite.
// Loop: the store's one thread; every call blocks.
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

/// Identifies a file's content without reading it.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< ns
  std::int64_t ctime = 0;  ///< ns
  std::uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};

/// The chunk hashes of a file when it had this stamp.
struct CachedFile {
  std::string path;  ///< relative to the game
  FileStamp stamp;
  std::vector<Digest> chunks;
  /// The executable bit that the file was installed with, if the file system does not store it.
  std::optional<bool> executable{};
};

/// A requested download that has not ended.
struct StoredDownload {
  std::string game;
  Digest version;
  std::string options;  ///< text from the layer above
  std::int64_t position = 0;
  bool paused = false;          ///< by a user
  std::uint64_t received = 0;   ///< bytes of chunk payload since the first start
  std::int64_t elapsed_ms = 0;  ///< time for which the download was active
  std::uint64_t timed = 0;      ///< payload of that time; less than `received` in rows that 0.1.0 wrote
};

/// A banned peer.
struct StoredBan {
  PeerId peer;
  std::string name;  ///< its name at the time of the ban
  std::string reason;
};

/// A peer that paired mode admits.
struct StoredPairing {
  PeerId peer;
  std::string name;  ///< its latest known name
};

class Store {
 public:
  virtual ~Store() = default;

  /// All cached files of a game, in no order. `root` is the path of the library root.
  virtual Result<std::vector<CachedFile>> load_game(std::string_view root, std::string_view game) = 0;
  /// Adds the files, replacing those with the same paths.
  virtual Result<void> save_files(std::string_view root, std::string_view game,
                                  const std::vector<CachedFile>& files) = 0;
  /// Removes the game's files whose paths are not in `keep` (sorted).
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
};

/// Opens or creates the database (":memory:" for tests). A damaged one is renamed to NAME.damaged-N and replaced by an
/// empty one, with an entry in the log. Fails: disk_error or no_space if the database cannot be opened or created.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Log& log);

}  // namespace peer::store
