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

std::string counted(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " file" : " files"); }

class Sorter {
 public:
  Sorter(Directory& installed, const protocol::Manifest& old, const library::OfferedGame* known, UserFiles& result)
      : installed_(installed), old_(old), known_(known), result_(result) {}

  void sort(Directory& directory, const std::string& path) {
    const auto entries = directory.list();
    if (!entries) return note(entries.error());
    if (entries->empty() && !path.empty() && !known_directory(path)) static_cast<void>(place_for(path + "/"));
    for (const store::DirectoryEntry& entry : *entries) {
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.type == FileType::directory) {
        sort_directory(directory, entry.name, below);
      } else {
        sort_entry(directory, entry, below);
      }
    }
  }

 private:
  void sort_directory(Directory& parent, const std::string& name, const std::string& path) {
    const auto directory = parent.open_directory(name, false);
    if (!directory) return note(directory.error());
    sort(**directory, path);
  }

  /// The old version had it, empty or with files.
  bool known_directory(const std::string& path) const {
    if (std::ranges::binary_search(old_.directories, path)) return true;
    const std::string below = path + "/";
    const auto file = std::ranges::lower_bound(old_.files, below, {}, &protocol::ManifestFile::path);
    const auto link = std::ranges::lower_bound(old_.symlinks, below, {}, &protocol::ManifestSymlink::path);
    return (file != old_.files.end() && file->path.starts_with(below)) ||
           (link != old_.symlinks.end() && link->path.starts_with(below));
  }

  void sort_entry(Directory& parent, const store::DirectoryEntry& entry, const std::string& path) {
    const std::optional<std::size_t> file = old_.file_at(path);
    const auto link = std::ranges::lower_bound(old_.symlinks, path, {}, &protocol::ManifestSymlink::path);
    const bool is_link = link != old_.symlinks.end() && link->path == path;
    if (!file && !is_link) return carry(parent, entry.name, path);
    const bool same = file ? unchanged(parent, entry, *file) : leads_to(parent, entry, link->target);
    if (!same) {
      ++result_.kept;
    } else if (const Result<void> removed = parent.remove_file(entry.name); !removed) {
      note(removed.error());
    }
  }

  /// Added by the user: it moves, unless something stands in its place.
  void carry(Directory& parent, const std::string& name, const std::string& path) {
    const auto target = place_for(path);
    const Result<void> moved =
        target ? parent.rename(name, **target, name, store::RenameMode::no_replace) : std::unexpected(target.error());
    if (moved) {
      ++result_.carried;
      return;
    }
    ++result_.kept;
    const int error = moved.error().system;
    if (error != EEXIST && error != ENOTDIR && error != ELOOP) note(moved.error());
  }

  /// The directory of the new tree that `path` lies in, with those made that are missing.
  Result<Directory*> place_for(const std::string& path) {
    Directory* at = &installed_;
    made_.clear();
    std::string_view rest = path;
    for (std::size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1)) {
      const std::string_view name = rest.substr(0, slash);
      auto next = ensure_directory(*at, name);  // durable before the user's only copy moves into it
      if (!next) return std::unexpected(next.error());
      made_.push_back(std::move(*next));
      at = made_.back().get();
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

  static bool leads_to(Directory& parent, const store::DirectoryEntry& entry, const std::string& target) {
    if (entry.type != FileType::symlink) return false;
    const auto found = parent.read_link(entry.name);
    return found && *found == target;
  }

  void note(const Error& error) {
    if (!result_.problem) result_.problem = error;
  }

  Directory& installed_;
  const protocol::Manifest& old_;
  const library::OfferedGame* known_;
  UserFiles& result_;
  std::vector<std::unique_ptr<Directory>> made_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace

std::string UserFiles::describe() const {
  if (whole) return "the " + game + " that was there before lies in " + place;
  std::string text;
  if (carried > 0) text = counted(carried) + " that you added stay" + (carried == 1 ? "s" : "");
  if (kept > 0)
    text +=
        (text.empty() ? "" : "; ") + counted(kept) + " that you changed lie" + (kept == 1 ? "s" : "") + " in " + place;
  if (problem)
    text += (text.empty() ? "" : "; ") + ("some of the old version stay in " + place + ": ") + problem->message;
  return text.empty() ? text : game + ": " + text;
}

void sort_out(store::Directory& replaced, store::Directory& installed, const protocol::Manifest& old,
              const library::OfferedGame* known, UserFiles& result) {
  Sorter(installed, old, known, result).sort(replaced, "");
}

void remove_empty(store::Directory& directory) {
  const auto entries = directory.list();
  if (!entries) return;
  for (const store::DirectoryEntry& entry : *entries) {
    if (entry.type != FileType::directory) continue;
    if (const auto below = directory.open_directory(entry.name, false)) remove_empty(**below);
    static_cast<void>(directory.remove_directory(entry.name));
  }
}

}  // namespace peer::staging
