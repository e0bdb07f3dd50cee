#include "libpeer/staging/trash.h"

#include <cerrno>

#include "libpeer/library/installed.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/publication.h"

namespace peer::staging {

namespace {

bool is_full(const Error& error) noexcept { return error.system == ENOSPC || error.system == EDQUOT; }

/// What a download has received is this program's own: without room for a rename it is deleted where it is.
Result<void> discard_stage(Workspace& workspace, const std::string& game) {
  Result<void> moved = move_to_trash(workspace, *workspace.staging, game);
  if (moved || !is_full(moved.error())) return moved;
  if (Result<void> removed = store::remove_tree(*workspace.staging, game); !removed) return removed;
  return workspace.staging->sync();
}

/// All directories of the tree can be emptied, and nothing is mounted in it: what goes to the trash can be deleted.
Result<void> check_deletable(store::Directory& parent, const std::string& name) {
  const auto info = parent.info(name);
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::directory) return {};
  if (info->mount) return fail_errno(EBUSY, parent.path() + "/" + name);
  const auto directory = parent.open_directory(name, false);
  if (!directory) return std::unexpected(directory.error());
  const auto entries = (*directory)->list();
  if (!entries) return std::unexpected(entries.error());
  // Even an empty one: a directory that moves to another parent is itself written to.
  if (Result<void> allowed = (*directory)->may_remove_entries(); !allowed) return allowed;
  for (const store::DirectoryEntry& entry : *entries) {
    if (entry.type != store::FileType::directory) continue;
    if (Result<void> below = check_deletable(**directory, entry.name); !below) return below;
  }
  return {};
}

/// Why a game stays, and what a person can do.
std::unexpected<Error> not_removed(const std::string& root, const std::string& game, const Error& error) {
  const std::string by_hand = "delete it yourself: rm -r \"" + root + "/" + game + "\"";
  std::string advice;
  switch (error.system) {
    case EACCES:
    case EPERM: advice = ": give peerd's user the right to write there, or " + by_hand; break;
    case EBUSY: advice = ": something is mounted there; unmount it first"; break;
    case ENOSPC:
    case EDQUOT: advice = ": there is not even room to move it to the trash; free some space, or " + by_hand; break;
    case EXDEV: advice = ": " + root + "/.peerd lies on another file system than the game; " + by_hand; break;
    default: advice = ": try again when that is over, or " + by_hand;
  }
  return fail(ErrorCode::disk_error, game + " is not removed, and nothing of it was changed: " + error.message + advice,
              error.system);
}

/// As remove_tree(), but it can be stopped between two entries.
Result<void> remove_slowly(store::Directory& parent, const std::string& name, const runtime::StopFlag& stop) {
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
      if (Result<void> removed = remove_slowly(**below, entry.name, stop); !removed) return removed;
    }
  }
  return parent.remove_directory(name);
}

}  // namespace

Result<void> discard_game(store::Disk& disk, const std::string& root, const std::string& game) {
  if (const auto problem = protocol::game_id_problem(game)) {
    return fail(ErrorCode::invalid, protocol::printable(game) + " is no game: " + *problem);
  }
  const auto top = disk.open(root, false, false);
  if (!top) return std::unexpected(top.error());
  const auto there = (*top)->info(game);
  if (!there && there.error().system == ENOENT) {
    return fail(ErrorCode::not_found, "no game " + protocol::printable(game) + " lies in " + root);
  }
  if (!there) return std::unexpected(there.error());
  auto workspace = open_workspace(disk, root);
  if (!workspace) return not_removed(root, game, workspace.error());
  if (Result<void> deletable = check_deletable(**top, game); !deletable) {
    return not_removed(root, game, deletable.error());
  }
  if (Result<void> moved = move_to_trash(*workspace, **top, game); !moved)
    return not_removed(root, game, moved.error());
  static_cast<void>(library::forget_installed(**top, game));  // a record without a game harms nobody
  return {};
}

Result<bool> discard_staging(store::Disk& disk, const std::string& root, const std::string& game) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  // The old game may lie in there.
  if (const auto done = recover_stage(*workspace, game); !done) return std::unexpected(done.error());
  const auto there = workspace->staging->info(game);
  if (!there && there.error().system == ENOENT) return false;
  if (!there) return std::unexpected(there.error());
  if (Result<void> done = discard_stage(*workspace, game); !done) return std::unexpected(done.error());
  return true;
}

Result<void> empty_trash(store::Disk& disk, const std::string& root, const runtime::StopFlag& stop) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  // Made while there is room: on a full disk it is needed to make some.
  const auto trash = ensure_directory(*workspace->peerd, kTrashName);
  if (!trash && is_full(trash.error())) return {};
  if (!trash) return std::unexpected(trash.error());
  const auto entries = (*trash)->list();
  if (!entries) return std::unexpected(entries.error());
  Result<void> first;
  for (const store::DirectoryEntry& entry : *entries) {
    Result<void> removed = remove_slowly(**trash, entry.name, stop);
    if (!removed && removed.error().code == ErrorCode::cancelled) return removed;
    if (!removed && removed.error().system != ENOENT && first) first = std::move(removed);
  }
  return first;
}

}  // namespace peer::staging
