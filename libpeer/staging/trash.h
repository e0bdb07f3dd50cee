// Deleting games: what is to go is renamed to ROOT/.peerd/trash/N first, so that it disappears at once and whole, and
// is deleted then. A crash in between leaves it in the trash, which the next start empties.
//
// Every call blocks and runs on a worker. A game is never deleted in its place: one that cannot be renamed, or that
// could be deleted only in part (another user's directories, something mounted in it), stays as it is. A game that is a
// symlink loses the link only.
#pragma once

#include <string>

#include "libpeer/base/result.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// ROOT/GAME is no longer there afterwards, nor its installed record. Fails: not_found if there is none; else
/// nothing was changed, and the error says why and what to do.
Result<void> discard_game(store::Disk& disk, const std::string& root, const std::string& game);

/// The same for what a download has received of a game. False: there is nothing.
Result<bool> discard_staging(store::Disk& disk, const std::string& root, const std::string& game);

/// Deletes what was discarded, until it is stopped.
Result<void> empty_trash(store::Disk& disk, const std::string& root, const runtime::StopFlag& stop);

}  // namespace peer::staging
