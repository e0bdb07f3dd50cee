// LinkPolicy: decides which directories may be games, so that a symlink in a library root exposes neither peerd's
// secrets nor system files.
//
// Directories are compared by device and inode, for the open directory and every directory above it. A path comparison
// could be deceived by a replaced link or a bind mount. Loop: none; workers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/store/disk.h"

namespace peer::library {

class LinkPolicy {
 public:
  /// A game must not be, contain or be inside one of `trees`, and must not contain one of `files`. A symlink must also
  /// not lead to another root, a .peerd directory, a directory above a root, or a system directory. Missing paths are
  /// skipped. `disk` must outlive it.
  LinkPolicy(store::Disk& disk, std::vector<std::string> roots, std::vector<std::string> trees,
             std::vector<std::string> files)
      : disk_(disk), roots_(std::move(roots)), trees_(std::move(trees)), files_(std::move(files)) {}

  /// Decides by the owners of the symlinks whether `followed` may be a game. A symlink must belong to root, or to the
  /// owner of the directory that it leads to. One of peerd's own user may come from a downloaded game, so it is only
  /// followed where no other user can have moved it. Fails: refused, with the reason.
  static Result<void> check_owners(const store::FollowedLink& followed);

  /// `game`: the open directory. `link`: it was reached through a symlink in `root`. Fails: refused, with the reason;
  /// disk errors.
  Result<void> check(store::Directory& game, const std::string& root, bool link) const;

 private:
  using Ancestry = std::vector<store::DirectoryId>;
  Result<void> check_own_places(const Ancestry& game, const Ancestry& above, bool link) const;
  Result<void> check_roots(const Ancestry& game, const std::string& root) const;
  Result<void> check_system(const Ancestry& game) const;

  store::Disk& disk_;
  const std::vector<std::string> roots_;
  const std::vector<std::string> trees_;
  const std::vector<std::string> files_;
};

struct OpenedGame {
  std::unique_ptr<store::Directory> directory;
  bool link = false;  ///< the game is a symlink
};
/// Opens a game's directory. A symlink is followed if `bounds` allow it (null: always). The checks use the handles that
/// were opened, so a swapped symlink or directory does not escape them. Fails: refused, with the reason; disk errors.
Result<OpenedGame> open_game(store::Directory& root, const std::string& game, const LinkPolicy* bounds);

}  // namespace peer::library
