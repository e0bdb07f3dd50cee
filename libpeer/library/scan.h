// Scanning: lists what the library's roots contain, without reading any file's content.
//
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/link_policy.h"
#include "libpeer/library/snapshot.h"
#include "libpeer/library/watcher.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::library {

store::FileStamp stamp_of(const store::FileInfo& info) noexcept;

struct ScannedFile {
  std::string path;  ///< relative to the game
  store::FileStamp stamp;
  bool executable = false;
  bool operator==(const ScannedFile&) const = default;
};

/// One game's contents. Files, directories and symlinks are sorted by path, bytewise.
struct ScannedGame {
  std::vector<ScannedFile> files;
  std::vector<std::string> directories;  ///< directories that contain nothing shared
  std::vector<protocol::ManifestSymlink> symlinks;
  std::vector<Problem> problems;
  bool unshareable = false;  ///< an illegal path, or too many files; `problems` names them
  bool unreadable = false;   ///< a file or directory could not be read; `problems` names it
  bool unwatched = false;    ///< a directory could not be watched
  std::uint64_t size = 0;
  std::int64_t newest = 0;  ///< latest mtime or ctime that is not in the future, directories included
  /// 0 if no timestamp is in the future; otherwise a checksum of those that are.
  std::uint64_t future_mark = 0;
};

/// Scans one game below `root`; the game itself may be a symlink. `now`: the wall clock. `bounds`: a game that it
/// refuses is unshareable and not scanned; null: no check. `watch`: enters every directory before it is listed; may be
/// null.
/// Cancel: `stop` makes it return early with a `cancelled` error. Fails: when the game's directory cannot be opened.
Result<ScannedGame> scan_game(store::Directory& root, const std::string& game, std::int64_t now, WatchWalk* watch,
                              const LinkPolicy* bounds, const runtime::StopFlag& stop);

bool same_contents(const ScannedGame& a, const ScannedGame& b);

/// A directory in a root that is a game.
struct FoundGame {
  std::string name;  ///< the directory's name
  std::string root;
  std::vector<std::string> shadowed_roots;  ///< later roots with a game of the same name
};

/// A root that could not be listed.
struct FailedRoot {
  std::string root;
  Error error;
  bool missing() const noexcept;  ///< the directory does not exist; otherwise the error may be temporary
};

struct FoundGames {
  std::vector<FoundGame> games;  ///< sorted by name
  std::vector<FailedRoot> failures;
  bool unwatched = false;  ///< a root could not be watched
};

/// Lists the games of all roots. If a name occurs in several roots, the first root takes precedence. `watcher` may be
/// null.
FoundGames find_games(store::Disk& disk, const std::vector<std::string>& roots, Watcher* watcher);

}  // namespace peer::library
