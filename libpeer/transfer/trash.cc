#include "transfer/trash.h"

#include <cerrno>

#include "library/installed.h"
#include "protocol/path.h"
#include "transfer/publication.h"

namespace peer::transfer {

namespace {

/// Where there is no room for a rename, or none is allowed: deleted where it is.
Result<void> discard(Workspace& workspace, store::Directory& from, const std::string& name) {
  Result<void> moved = move_to_trash(workspace, from, name);
  if (moved || moved.error().system == ENOENT) return moved;
  if (Result<void> removed = store::remove_tree(from, name); !removed) return removed;
  return from.sync();
}

/// As remove_tree(), but it can be stopped between two entries.
Result<void> remove_slowly(store::Directory& parent, const std::string& name, const rt::StopFlag& stop) {
  const auto info = parent.info(name);
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::directory) return parent.remove_file(name);
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
    return fail(ErrorCode::no_such_game, "no game " + protocol::printable(game) + " lies in " + root);
  }
  if (!there) return std::unexpected(there.error());
  static_cast<void>(library::forget_installed(**top, game));  // where it stays it harms nobody
  auto workspace = open_workspace(disk, root);
  if (workspace) return discard(*workspace, **top, game);
  if (Result<void> removed = store::remove_tree(**top, game); !removed) return removed;  // no room even for .peerd
  return (*top)->sync();
}

Result<bool> discard_staging(store::Disk& disk, const std::string& root, const std::string& game) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  // The old game may lie in there.
  if (const auto done = recover_stage(*workspace, game); !done) return std::unexpected(done.error());
  const auto there = workspace->staging->info(game);
  if (!there && there.error().system == ENOENT) return false;
  if (!there) return std::unexpected(there.error());
  if (Result<void> done = discard(*workspace, *workspace->staging, game); !done) return std::unexpected(done.error());
  return true;
}

Result<void> empty_trash(store::Disk& disk, const std::string& root, const rt::StopFlag& stop) {
  auto workspace = open_workspace(disk, root);
  if (!workspace) return std::unexpected(workspace.error());
  const auto trash = workspace->peerd->open_directory(kTrashName, false);
  if (!trash && trash.error().system == ENOENT) return {};
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

}  // namespace peer::transfer
