// What lies in the library's roots, seen without reading any file's content.
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/bounds.h"
#include "libpeer/library/library.h"
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
  std::vector<std::string> directories;  ///< those with nothing shared in them
  std::vector<protocol::ManifestSymlink> symlinks;
  std::vector<Problem> problems;
  bool unshareable = false;  ///< an illegal path, or too much; the problems say which
  bool unreadable = false;   ///< something could not be looked at; the problems say what
  bool unwatched = false;    ///< a directory could not be watched
  std::uint64_t size = 0;
  std::int64_t newest = 0;  ///< the latest mtime or ctime that is not in the future, directories included
  std::uint64_t ahead = 0;  ///< 0: nothing lies in the future; else a mark that changes when what does so changes
};

/// Walks one game below `root`; the game itself may be a symlink. `now`: the wall clock.
/// `bounds`: a game that it refuses is unshareable, and nothing in it is looked at; null: none.
/// `watch`: enters every directory that is listed; may be null. Cancel: `stop` makes it return early with a `cancelled`
/// error. Fails: when the game's directory cannot be opened.
Result<ScannedGame> scan_game(store::Directory& root, const std::string& game, std::int64_t now, WatchWalk* watch,
                              const Bounds* bounds, const runtime::StopFlag& stop);

bool same_contents(const ScannedGame& a, const ScannedGame& b);

/// A game's directory in a root.
struct FoundGame {
  std::string name;  ///< of the directory
  std::string root;
  std::vector<std::string> shadowed_roots;  ///< where else a game of that name lies, unused
};

/// A root that could not be listed.
struct FailedRoot {
  std::string root;
  Error error;
  bool gone() const noexcept;  ///< there is no such directory; else its games may come back
};

struct FoundGames {
  std::vector<FoundGame> games;  ///< sorted by name
  std::vector<FailedRoot> failures;
  bool unwatched = false;  ///< a root could not be watched
};

/// Every game of every root; the first root that has a name wins it. `watcher` may be null.
FoundGames find_games(store::Disk& disk, const std::vector<std::string>& roots, Watcher* watcher);

}  // namespace peer::library
