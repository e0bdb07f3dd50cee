// Workspace: the directories below a library root that downloads use, and helpers for entries in them.
//
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

/// Opens the directories, and durably creates missing ones. The root must exist.
Result<Workspace> open_workspace(store::Disk& disk, const std::string& root);

/// Durably renames FROM/NAME to ROOT/.peerd/trash/N, so that it disappears at once. The trash is emptied in the
/// background and at each start.
Result<void> move_to_trash(Workspace& workspace, store::Directory& from, const std::string& name);

/// Removes STAGING/GAME and everything below it. If FUSE or NFS keeps a removed file that a reader still has open, the
/// rest moves to the trash.
Result<void> remove_stage(Workspace& workspace, const std::string& game);

/// Opens the directory `name` in `parent`, and durably creates it if it is missing. Refuses a symlink.
Result<std::unique_ptr<store::Directory>> ensure_directory(store::Directory& parent, std::string_view name);

/// One more than the largest number among the names in the directory.
Result<std::uint64_t> next_number(store::Directory& directory);

/// Fails: invalid if ROOT/GAME exists and a download must not replace it.
Result<void> check_target(store::Directory& root, const std::string& game);

/// Nothing if there is no such entry.
Result<std::optional<store::FileInfo>> find_entry(store::Directory& directory, std::string_view name);

inline constexpr std::string_view kTrashName = "trash";

bool is_missing(const Error& error) noexcept;

/// Nothing if the text is not a decimal number.
std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace peer::staging
