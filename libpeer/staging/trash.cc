#include "libpeer/staging/trash.h"

#include <cerrno>

#include "libpeer/library/installed.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/recovery.h"
#include "libpeer/staging/workspace.h"

namespace peer::staging {

namespace {

bool is_full(const Error& error) noexcept { return error.system == ENOSPC || error.system == EDQUOT; }

/// On a full disk, which may have no room for a rename, the received data is deleted in place: it belongs to peerd.
Result<void> discard_stage(Workspace& workspace, const std::string& game) {
  Result<void> moved = move_to_trash(workspace, *workspace.staging, game);
  if (moved || !is_full(moved.error())) return moved;
  if (Result<void> removed = store::remove_tree(*workspace.staging, game); !removed) return removed;
  return workspace.staging->sync();
}

/// Succeeds if every directory of the tree can be emptied and nothing is mounted in it, so that the trash can be
/// deleted.
Result<void> check_deletable(store::Directory& parent, const std::string& name) {
  const auto info = parent.info(name);
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::directory) return {};
  if (info->mount) return fail_errno(EBUSY, parent.path() + "/" + name);
  const auto directory = parent.open_directory(name, false);
  if (!directory) return std::unexpected(directory.error());
  const auto entries = (*directory)->list();
  if (!entries) return std::unexpected(entries.error());
  // This applies to an empty directory too: moving it to another parent writes its '..' entry.
  if (Result<void> allowed = (*directory)->may_remove_entries(); !allowed) return allowed;
  for (const store::DirectoryEntry& entry : *entries) {
    if (entry.type != store::FileType::directory) continue;
    if (Result<void> below = check_deletable(**directory, entry.name); !below) return below;
  }
  return {};
}

/// The error for a game that stays, with advice.
std::unexpected<Error> not_removed(const std::string& root, const std::string& game, const Error& error) {
  const std::string by_hand = "delete it yourself: rm -r \"" + root + "/" + game + "\"";
  std::string advice;
  switch (error.system) {
    case EACCES:
    case EPERM: advice = ": give peerd's user write permission for it, or " + by_hand; break;
    case EBUSY: advice = ": something is mounted in it; unmount it first"; break;
    case ENOSPC:
    case EDQUOT: advice = ": the disk has no room to move it to the trash; free some space, or " + by_hand; break;
    case EXDEV: advice = ": " + root + "/.peerd is on another file system than the game; " + by_hand; break;
    default: advice = ": fix that and try again, or " + by_hand;
  }
  return fail(ErrorCode::disk_error,
              game + " was not removed, and nothing of it was changed: " + error.message + advice, error.system);
}

/// Like store::remove_tree(), but checks `stop` between two entries.
Result<void> remove_until_stopped(store::Directory& parent, const std::string& name, const runtime::StopFlag& stop) {
  const auto info = parent.info(name);
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::directory) return parent.remove_file(name);
  if (info->mount) return fail_errno(EBUSY, parent.path() + "/" + name);
  {
    const auto below = parent.open_directory(name, false);
    if (!below) return std::unexpected(below.error());
    const auto entries = (*below)->list();
    if (!entries) return std::unexpected(entries.error());
    for (const store::DirectoryEntry& entry : *entries) {
      if (stop.requested()) return fail(ErrorCode::cancelled, "stopped while the trash was emptied");
      if (Result<void> removed = remove_until_stopped(**below, entry.name, stop); !removed) return removed;
    }
  }
  return parent.remove_directory(name);
}

}  // namespace

Result<void> discard_game(store::Disk& disk, const std::string& root, const std::string& game) {
  if (const auto problem = protocol::game_id_problem(game)) {
    return fail(ErrorCode::invalid, "'" + protocol::printable(game) + "' is not the name of a game: it " + *problem);
  }
  const auto top = disk.open(root, false, false);
  if (!top) return std::unexpected(top.error());
  const auto existing = (*top)->info(game);
  if (!existing && existing.error().system == ENOENT) {
    return fail(ErrorCode::not_found, "there is no game '" + protocol::printable(game) + "' in " + root);
  }
  if (!existing) return std::unexpected(existing.error());
  auto workspace = open_workspace(disk, root);
  if (!workspace) return not_removed(root, game, workspace.error());
  if (Result<void> deletable = check_deletable(**top, game); !deletable) {
    return not_removed(root, game, deletable.error());
  }
  if (Result<void> moved = move_to_trash(*workspace, **top, game); !moved)
    return not_removed(root, game, moved.error());
  static_cast<void>(library::forget_installed(**top, game));  // a record without a game has no effect
  return {};
}

Result<bool> discard_staging(store::Disk& disk, const std::string& root, const std::string& game) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  // The stage may contain the old game, if a publication was interrupted.
  if (const auto done = recover_stage(*workspace, game); !done) return std::unexpected(done.error());
  const auto existing = workspace->staging->info(game);
  if (!existing && existing.error().system == ENOENT) return false;
  if (!existing) return std::unexpected(existing.error());
  if (Result<void> done = discard_stage(*workspace, game); !done) return std::unexpected(done.error());
  return true;
}

Result<void> empty_trash(store::Disk& disk, const std::string& root, const runtime::StopFlag& stop) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  // Create the trash while there is room: on a full disk, games move to it to make room.
  const auto trash = ensure_directory(*workspace->peerd, kTrashName);
  if (!trash && is_full(trash.error())) return {};
  if (!trash) return std::unexpected(trash.error());
  const auto entries = (*trash)->list();
  if (!entries) return std::unexpected(entries.error());
  Result<void> first;
  for (const store::DirectoryEntry& entry : *entries) {
    Result<void> removed = remove_until_stopped(**trash, entry.name, stop);
    if (!removed && removed.error().code == ErrorCode::cancelled) return removed;
    if (!removed && removed.error().system != ENOENT && first) first = std::move(removed);
  }
  return first;
}

}  // namespace peer::staging
