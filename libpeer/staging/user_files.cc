#include "libpeer/staging/user_files.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "libpeer/library/scan.h"
#include "libpeer/staging/workspace.h"

namespace peer::staging {

namespace {

using store::Directory;
using store::FileType;

std::string count_files(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " file" : " files"); }

class UserFileReconciler {
 public:
  UserFileReconciler(Directory& installed, const protocol::Manifest& old, const library::OfferedGame* known,
                     UserFiles& result)
      : installed_(installed), old_(old), known_(known), result_(result) {}

  void reconcile(Directory& directory, const std::string& path) {
    const auto entries = directory.list();
    if (!entries) return record_problem(entries.error());
    if (entries->empty() && !path.empty() && !was_installed(path)) {
      static_cast<void>(open_target_directory(path + "/"));
    }
    for (const store::DirectoryEntry& entry : *entries) {
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.type == FileType::directory) {
        reconcile_directory(directory, entry.name, below);
      } else {
        reconcile_entry(directory, entry, below);
      }
    }
  }

 private:
  void reconcile_directory(Directory& parent, const std::string& name, const std::string& path) {
    const auto directory = parent.open_directory(name, false);
    if (!directory) return record_problem(directory.error());
    reconcile(**directory, path);
  }

  /// Whether the old version had this directory, empty or with files.
  bool was_installed(const std::string& path) const {
    if (std::ranges::binary_search(old_.directories, path)) return true;
    const std::string below = path + "/";
    const auto file = std::ranges::lower_bound(old_.files, below, {}, &protocol::ManifestFile::path);
    const auto link = std::ranges::lower_bound(old_.symlinks, below, {}, &protocol::ManifestSymlink::path);
    return (file != old_.files.end() && file->path.starts_with(below)) ||
           (link != old_.symlinks.end() && link->path.starts_with(below));
  }

  void reconcile_entry(Directory& parent, const store::DirectoryEntry& entry, const std::string& path) {
    const std::optional<std::size_t> file = old_.file_at(path);
    const auto link = std::ranges::lower_bound(old_.symlinks, path, {}, &protocol::ManifestSymlink::path);
    const bool is_link = link != old_.symlinks.end() && link->path == path;
    if (!file && !is_link) return move_user_file(parent, entry.name, path);
    const bool same = file ? unchanged(parent, entry, *file) : has_target(parent, entry, link->target);
    if (!same) {
      ++result_.kept;
    } else if (const Result<void> removed = parent.remove_file(entry.name); !removed) {
      record_problem(removed.error());
    }
  }

  /// Moves a file that the user added, unless the new tree has an entry in its place.
  void move_user_file(Directory& parent, const std::string& name, const std::string& path) {
    const auto target = open_target_directory(path);
    const Result<void> moved =
        target ? parent.rename(name, **target, name, store::RenameMode::no_replace) : std::unexpected(target.error());
    if (moved) {
      ++result_.moved;
      return;
    }
    ++result_.kept;
    const int error = moved.error().system;
    if (error != EEXIST && error != ENOTDIR && error != ELOOP) record_problem(moved.error());
  }

  /// The directory of the new tree that contains `path`. Creates missing directories.
  Result<Directory*> open_target_directory(const std::string& path) {
    Directory* at = &installed_;
    opened_.clear();
    std::string_view rest = path;
    for (std::size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1)) {
      const std::string_view name = rest.substr(0, slash);
      auto next = ensure_directory(*at, name);  // durable, because the user's only copy moves into it
      if (!next) return std::unexpected(next.error());
      opened_.push_back(std::move(*next));
      at = opened_.back().get();
    }
    return at;
  }

  bool unchanged(Directory& parent, const store::DirectoryEntry& entry, std::size_t index) {
    const protocol::ManifestFile& file = old_.files[index];
    if (entry.type != FileType::regular) return false;
    const auto info = parent.info(entry.name);
    if (!info || info->size != file.size) return false;
    if (known_ != nullptr && known_->stamps[index] == library::stamp_of(*info) &&
        known_->holds(file.first_chunk, file.chunk_count()))
      return true;
    return same_content(parent, entry.name, file);
  }

  bool same_content(Directory& parent, const std::string& name, const protocol::ManifestFile& file) {
    const auto handle = parent.open_file(name, store::OpenMode::read);
    if (!handle) return false;
    buffer_.resize(protocol::kChunkSize);
    for (std::size_t i = 0; i < file.chunk_count(); ++i) {
      const std::uint64_t offset = i * protocol::kChunkSize;
      const auto part =
          std::span(buffer_).first(static_cast<std::size_t>(std::min(file.size - offset, protocol::kChunkSize)));
      const auto count = (*handle)->read_at(part, offset);
      if (!count || *count != part.size() || protocol::hash(part) != old_.chunks[file.first_chunk + i]) return false;
    }
    return true;
  }

  static bool has_target(Directory& parent, const store::DirectoryEntry& entry, const std::string& target) {
    if (entry.type != FileType::symlink) return false;
    const auto found = parent.read_link(entry.name);
    return found && *found == target;
  }

  void record_problem(const Error& error) {
    if (!result_.problem) result_.problem = error;
  }

  Directory& installed_;
  const protocol::Manifest& old_;
  const library::OfferedGame* known_;
  UserFiles& result_;
  std::vector<std::unique_ptr<Directory>> opened_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace

std::string UserFiles::describe() const {
  if (kept_whole) return game + ": your own game was moved to " + path;
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (moved > 0) add("kept " + count_files(moved) + " that you added");
  if (kept > 0) add("moved " + count_files(kept) + " that you changed to " + path);
  if (problem) add("could not clean up all of " + path + ": " + problem->message);
  return text.empty() ? text : game + ": " + text;
}

void reconcile_user_files(store::Directory& replaced, store::Directory& installed, const protocol::Manifest& old,
                          const library::OfferedGame* known, UserFiles& result) {
  UserFileReconciler(installed, old, known, result).reconcile(replaced, "");
}

void remove_empty_directories(store::Directory& directory) {
  const auto entries = directory.list();
  if (!entries) return;
  for (const store::DirectoryEntry& entry : *entries) {
    if (entry.type != FileType::directory) continue;
    if (const auto below = directory.open_directory(entry.name, false)) remove_empty_directories(**below);
    static_cast<void>(directory.remove_directory(entry.name));
  }
}

}  // namespace peer::staging
