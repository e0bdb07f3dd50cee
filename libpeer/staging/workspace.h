// Workspace: the directories that downloads use below a library root, and what is asked of names there.
// Loop: none; workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

struct Workspace {
  std::unique_ptr<store::Directory> root;
  std::unique_ptr<store::Directory> peerd;    ///< ROOT/.peerd
  std::unique_ptr<store::Directory> staging;  ///< ROOT/.peerd/staging
};

/// Makes what is missing, durably. The root must be there.
Result<Workspace> open_workspace(store::Disk& disk, const std::string& root);

/// Renames FROM/NAME to ROOT/.peerd/trash/N, durably: it disappears at once and whole. The trash is emptied in the
/// background and at each start.
Result<void> move_to_trash(Workspace& workspace, store::Directory& from, const std::string& name);

/// Removes STAGING/GAME with all below it. What cannot be deleted now, because a reader has a file in it open on a file
/// system that keeps it then (FUSE, NFS), goes to the trash.
Result<void> remove_stage(Workspace& workspace, const std::string& game);

/// Opens `name` below `parent`; made, durably, if it is missing. A symlink is refused.
Result<std::unique_ptr<store::Directory>> ensure_directory(store::Directory& parent, std::string_view name);

/// One more than the largest number among the names there: for what is put aside.
Result<std::uint64_t> next_number(store::Directory& directory);

/// Fails: invalid when ROOT/GAME is something that a download does not replace.
Result<void> check_target(store::Directory& root, const std::string& game);

/// What the entry is; nothing if there is none.
Result<std::optional<store::FileInfo>> look(store::Directory& directory, std::string_view name);

inline constexpr std::string_view kTrashName = "trash";

bool is_missing(const Error& error) noexcept;

/// Nothing if it is no number.
std::optional<std::uint64_t> number_in(std::string_view text);

}  // namespace peer::staging
