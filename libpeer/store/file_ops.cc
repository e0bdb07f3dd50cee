#include <cerrno>

#include "libpeer/store/disk.h"

namespace peer::store {

Result<std::vector<std::uint8_t>> read_file(Directory& directory, std::string_view name, std::uint64_t limit) {
  const auto file = directory.open_file(name, OpenMode::read);
  if (!file) return std::unexpected(file.error());
  const auto info = (*file)->info();
  if (!info) return std::unexpected(info.error());
  if (info->size > limit) {
    return fail(ErrorCode::invalid,
                directory.path() + "/" + std::string(name) + " is longer than " + std::to_string(limit) + " bytes");
  }
  std::vector<std::uint8_t> content(static_cast<std::size_t>(info->size));
  const auto count = (*file)->read_at(content, 0);
  if (!count) return std::unexpected(count.error());
  content.resize(*count);
  return content;
}

Result<void> write_file_atomically(Directory& directory, std::string_view name, std::span<const std::uint8_t> content,
                                   OpenMode mode) {
  const std::string beside = "." + std::string(name) + ".new";
  const auto write = [&]() -> Result<void> {
    // A file that is left here comes from a write that a crash interrupted.
    const Result<void> removed = directory.remove_file(beside);
    if (!removed && removed.error().system != ENOENT) return removed;
    const auto file = directory.open_file(beside, mode);
    if (!file) return std::unexpected(file.error());
    if (Result<void> done = (*file)->write_at(content, 0); !done) return done;
    if (Result<void> done = (*file)->sync(); !done) return done;
    return directory.rename(beside, directory, name, RenameMode::replace);
  };
  if (Result<void> written = write(); !written) {
    static_cast<void>(directory.remove_file(beside));  // the first failure is reported
    return written;
  }
  return directory.sync();
}

Result<void> remove_tree(Directory& directory, std::string_view name) {
  const auto info = directory.info(name);
  if (!info) {
    if (info.error().system == ENOENT) return {};
    return std::unexpected(info.error());
  }
  if (info->type != FileType::directory) return directory.remove_file(name);
  if (info->mount) return fail_errno(EBUSY, directory.path() + "/" + std::string(name));
  {
    const auto below = directory.open_directory(name, false);
    if (!below) return std::unexpected(below.error());
    const auto entries = (*below)->list();
    if (!entries) return std::unexpected(entries.error());
    for (const DirectoryEntry& entry : *entries) {
      if (Result<void> removed = remove_tree(**below, entry.name); !removed) return removed;
    }
  }
  return directory.remove_directory(name);
}

}  // namespace peer::store
