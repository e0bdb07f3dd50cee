// DirectoryCursor: opens a game's files by relative path, keeping the directories on the way open from one to the next.
//
// No component is a symlink: nothing outside the game is reached.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/library/bounds.h"
#include "libpeer/store/disk.h"

namespace peer::library {

class DirectoryCursor {
 public:
  explicit DirectoryCursor(std::unique_ptr<store::Directory> top) : top_(std::move(top)) {}

  /// The directory that holds `path`; valid until the next call. Quick if it is that of the call before.
  Result<store::Directory*> parent_of(std::string_view path);

 private:
  struct Level {
    std::string name;
    std::unique_ptr<store::Directory> directory;
  };
  std::unique_ptr<store::Directory> top_;
  std::vector<Level> open_;
};

/// The last component.
inline std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// The directory of a game; a symlink is followed within `bounds` (null: anywhere). Fails: refused, with the reason.
Result<std::unique_ptr<store::Directory>> open_game(store::Disk& disk, const std::string& root, const std::string& game,
                                                    const Bounds* bounds);

}  // namespace peer::library
