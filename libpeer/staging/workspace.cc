#include "libpeer/staging/workspace.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "libpeer/library/installed.h"

namespace peer::staging {

bool is_missing(const Error& error) noexcept { return error.system == ENOENT; }

Result<std::optional<store::FileInfo>> find_entry(store::Directory& directory, std::string_view name) {
  const auto info = directory.info(name);
  if (info) return *info;
  if (is_missing(info.error())) return std::nullopt;
  return std::unexpected(info.error());
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Workspace> open_workspace(store::Disk& disk, const std::string& root) {
  Workspace workspace;
  auto opened = disk.open(root, false, false);
  if (!opened) return std::unexpected(opened.error());
  workspace.root = std::move(*opened);
  opened = ensure_directory(*workspace.root, library::kPeerdName);
  if (!opened) return std::unexpected(opened.error());
  workspace.peerd = std::move(*opened);
  opened = ensure_directory(*workspace.peerd, "staging");
  if (!opened) return std::unexpected(opened.error());
  workspace.staging = std::move(*opened);
  return workspace;
}

Result<std::unique_ptr<store::Directory>> ensure_directory(store::Directory& parent, std::string_view name) {
  auto opened = parent.open_directory(name, false);
  if (opened || !is_missing(opened.error())) return opened;
  const Result<void> made = parent.make_directory(name);
  if (!made && made.error().system != EEXIST)
    return std::unexpected(made.error());  // another download may have created it
  if (Result<void> synced = parent.sync(); !synced) return std::unexpected(synced.error());
  return parent.open_directory(name, false);
}

Result<void> move_to_trash(Workspace& workspace, store::Directory& from, const std::string& name) {
  auto trash = ensure_directory(*workspace.peerd, kTrashName);
  if (!trash) return std::unexpected(trash.error());
  const auto target = next_number(**trash);
  if (!target) return std::unexpected(target.error());
  if (Result<void> moved = from.rename(name, **trash, std::to_string(*target), store::RenameMode::no_replace); !moved)
    return moved;
  if (Result<void> synced = (*trash)->sync(); !synced) return synced;
  return from.sync();
}

Result<void> remove_stage(Workspace& workspace, const std::string& game) {
  Result<void> removed = store::remove_tree(*workspace.staging, game);
  if (removed || removed.error().system != ENOTEMPTY) return removed;
  return move_to_trash(workspace, *workspace.staging, game);
}

Result<std::uint64_t> next_number(store::Directory& directory) {
  const auto entries = directory.list();
  if (!entries) return std::unexpected(entries.error());
  std::uint64_t last = 0;
  for (const store::DirectoryEntry& entry : *entries) last = std::max(last, parse_number(entry.name).value_or(0));
  return last + 1;
}

Result<void> check_target(store::Directory& root, const std::string& game) {
  const auto existing = find_entry(root, game);
  if (!existing) return std::unexpected(existing.error());
  if (!*existing) return {};
  const std::string path = root.path() + "/" + game;
  if ((*existing)->type == store::FileType::directory) {
    if ((*existing)->mount) {
      return fail(ErrorCode::invalid, path + " is a mount point, which a download does not replace: unmount it first");
    }
    const auto directory = root.open_directory(game, false);
    if (!directory) return std::unexpected(directory.error());
    const Result<void> allowed = (*directory)->may_remove_entries();
    if (allowed || (allowed.error().system != EACCES && allowed.error().system != EPERM)) return allowed;
    return fail(ErrorCode::invalid, path + " cannot be replaced: peerd's user may not change it (" +
                                        allowed.error().message + "): grant write permission, or move the game away");
  }
  if ((*existing)->type == store::FileType::symlink) {
    return fail(ErrorCode::invalid,
                path +
                    " is a symlink, which a download does not replace: remove the link (its target stays), "
                    "or replace it by the game itself");
  }
  return fail(ErrorCode::invalid, path + " is not a directory: move it away first");
}

}  // namespace peer::staging
