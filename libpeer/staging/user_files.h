// User files: keeps the files that the user added to or changed in a game when an update replaces it.
//
// It works on the replaced tree after the exchange: unchanged files of the old version are removed, added files move
// into the new tree, and changed files stay in the replaced tree. Each step is one rename or one removal, so that it
// can be interrupted anywhere and repeated. When unsure, it keeps the file. Loop: none; workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libpeer/base/result.h"
#include "libpeer/library/library.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

struct UserFiles {
  std::string game;
  std::string path;         ///< of the replaced tree
  bool kept_whole = false;  ///< the replaced game was an own game, and is kept as a whole
  std::uint64_t moved = 0;  ///< added files, which moved into the new tree
  std::uint64_t kept = 0;   ///< files that stay: they were changed, or the new tree has another file in their place
  std::optional<Error> problem;  ///< the first error; the files concerned stay

  /// For the log. Empty if nothing was kept.
  std::string describe() const;
};

/// `old`: the manifest of the version in `replaced`. `known`: its files as they were hashed; if null, the files are
/// read. Empty directories remain: remove them after the moved files are durable.
void reconcile_user_files(store::Directory& replaced, store::Directory& installed, const protocol::Manifest& old,
                          const library::OfferedGame* known, UserFiles& result);

/// Removes the directories below it that contain no file. Ignores errors.
void remove_empty_directories(store::Directory& directory);

}  // namespace peer::staging
