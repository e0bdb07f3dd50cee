// DirectoryCursor: opens the directories of a game by relative path, and keeps those of the last path open.
//
// It does not follow symlinks, so it never leaves the game.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/link_policy.h"
#include "libpeer/store/disk.h"

namespace peer::library {

class DirectoryCursor {
 public:
  explicit DirectoryCursor(std::unique_ptr<store::Directory> top) : top_(std::move(top)) {}

  /// The directory that contains `path`, valid until the next call. Fast if the previous path is in the same directory.
  Result<store::Directory*> parent_of(std::string_view path);

 private:
  struct Level {
    std::string name;
    std::unique_ptr<store::Directory> directory;
  };
  std::unique_ptr<store::Directory> top_;
  std::vector<Level> open_;
};

/// The last component of a path.
inline std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Opens a game's directory. A symlink is followed if `bounds` allow it (null: always). Fails: refused, with the
/// reason; disk errors.
Result<std::unique_ptr<store::Directory>> open_game(store::Disk& disk, const std::string& root, const std::string& game,
                                                    const LinkPolicy* bounds);

}  // namespace peer::library
