// Bounds: where no game may lead, so that a symlink in a library root publishes neither this daemon's secrets nor the
// system's files.
//
// Directories are compared by what they are (device and inode of open handles, and of all directories above them), not
// by path: neither a swapped link nor a bind mount slips through. Loop: none; workers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/store/disk.h"

namespace peer::library {

class Bounds {
 public:
  /// No game is, lies in or holds one of `trees`, nor holds one of `files`. Beyond that no symlink leads to another of
  /// the `roots`, to a .peerd, above a root, or to the system's directories. What is missing is skipped. `disk` must
  /// outlive it.
  Bounds(store::Disk& disk, std::vector<std::string> roots, std::vector<std::string> trees,
         std::vector<std::string> files)
      : disk_(disk), roots_(std::move(roots)), trees_(std::move(trees)), files_(std::move(files)) {}

  /// `game`: open; `link`: a symlink in `root` led to it. Fails: refused, with the reason; disk errors.
  Result<void> check(store::Directory& game, const std::string& root, bool link) const;

 private:
  store::Disk& disk_;
  const std::vector<std::string> roots_;
  const std::vector<std::string> trees_;
  const std::vector<std::string> files_;
};

/// A game's directory; a symlink is followed within `bounds` (null: anywhere). Fails: refused, with the reason.
struct OpenedGame {
  std::unique_ptr<store::Directory> directory;
  bool link = false;
};
Result<OpenedGame> open_game(store::Directory& root, const std::string& game, const Bounds* bounds);

}  // namespace peer::library
