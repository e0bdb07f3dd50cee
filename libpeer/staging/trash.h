// Trash: deletes games by first renaming them to ROOT/.peerd/trash/N, so that they disappear at once.
//
// After a crash, the next start empties the trash. A game is never deleted in place: it stays unchanged if it cannot be
// renamed, or could only be deleted in part (a directory of another user, or a mount point in it). If a game is a
// symlink, only the link is removed. Loop: none; workers.
#pragma once

#include <string>

#include "libpeer/base/result.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// Moves ROOT/GAME to the trash, and deletes its installed record. Fails: not_found; otherwise nothing was changed,
/// and the error says why and what to do.
Result<void> discard_game(store::Disk& disk, const std::string& root, const std::string& game);

/// Deletes the data that a download has received. Returns false if there is none.
Result<bool> discard_staging(store::Disk& disk, const std::string& root, const std::string& game);

/// Deletes the trash. Cancel: `stop` is checked between two entries. Fails: the first error; the rest is deleted
/// nevertheless.
Result<void> empty_trash(store::Disk& disk, const std::string& root, const runtime::StopFlag& stop);

}  // namespace peer::staging
