#include "libpeer/staging/tree_writer.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace peer::staging {

namespace {

/// Splits "a/b/c" into "a/b" and "c".
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return {std::string_view(), path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_missing(const Error& error) { return error.system == ENOENT; }

}  // namespace

TreeWriter::TreeWriter(std::unique_ptr<store::Directory> root,
                       std::shared_ptr<const protocol::ManifestDocument> document)
    : root_(std::move(root)), document_(std::move(document)), created_(document_->manifest.files.size()) {}

Result<TreeWriter::DirectoryPtr> TreeWriter::directory(std::string_view path, bool create) {
  const auto cached = [this](std::string_view at) -> DirectoryPtr {
    if (at.empty()) return root_;
    const std::lock_guard lock(mutex_);
    return directories_.find(at);
  };
  if (DirectoryPtr known = cached(path)) return known;
  // The mutex ensures that a directory created by another thread is already in unsynced_ when this thread finds it.
  const std::lock_guard walking(walk_mutex_);
  std::size_t end = path.size();
  DirectoryPtr at;
  while (!(at = cached(path.substr(0, end)))) end = split(path.substr(0, end)).first.size();
  while (end < path.size()) {
    const std::size_t begin = end == 0 ? 0 : end + 1;
    const std::string_view parent_path = path.substr(0, end);
    end = std::min(path.find('/', begin), path.size());
    auto next = enter(*at, parent_path, path.substr(begin, end - begin), create);
    if (!next) return next;
    at = std::move(*next);
    const std::lock_guard lock(mutex_);
    directories_.put(std::string(path.substr(0, end)), at);
  }
  return at;
}

Result<TreeWriter::DirectoryPtr> TreeWriter::enter(store::Directory& parent, std::string_view parent_path,
                                                   std::string_view name, bool create) {
  auto opened = parent.open_directory(name, false);
  if (!opened && create && is_missing(opened.error())) {
    if (Result<void> made = parent.make_directory(name); !made) return std::unexpected(made.error());
    {
      const std::lock_guard lock(mutex_);
      unsynced_.directories.emplace(parent_path);
    }
    opened = parent.open_directory(name, false);
  }
  if (!opened) return std::unexpected(opened.error());
  return DirectoryPtr(std::move(*opened));
}

Result<std::vector<bool>> TreeWriter::find_full_size_files() {
  std::vector<bool> full_size(document_->manifest.files.size());
  std::optional<std::string_view> missing;  // a missing directory; its files are adjacent in the manifest
  for (std::size_t i = 0; i < full_size.size(); ++i) {
    const auto [parent_path, name] = split(manifest_file(i).path);
    if (parent_path == missing) continue;
    const auto parent = directory(parent_path, false);
    if (!parent && is_missing(parent.error())) {
      missing = parent_path;
      continue;
    }
    if (!parent) return std::unexpected(parent.error());
    const auto info = (*parent)->info(name);
    if (!info && is_missing(info.error())) continue;
    if (!info) return std::unexpected(info.error());
    if (info->type == store::FileType::regular && info->size == manifest_file(i).size) {
      full_size[i] = true;
      continue;
    }
    if (Result<void> removed = store::remove_tree(**parent, name); !removed) return std::unexpected(removed.error());
  }
  const std::lock_guard lock(mutex_);
  created_ = full_size;
  return full_size;
}

Result<std::shared_ptr<store::File>> TreeWriter::create_file(std::size_t file) {
  const auto [parent_path, name] = split(manifest_file(file).path);
  const auto parent = directory(parent_path, true);
  if (!parent) return std::unexpected(parent.error());
  auto opened = (*parent)->open_file(name, store::OpenMode::create_new);
  if (!opened && opened.error().system == EEXIST) {
    return fail(ErrorCode::disk_error,
                (*parent)->path() + "/" + std::string(name) +
                    " already exists: another program created it, or this file system ignores the case of letters, "
                    "and the game has two names that differ only in case",
                EEXIST);
  }
  if (!opened) return std::unexpected(opened.error());
  if (manifest_file(file).chunk_count() > 1) {
    if (Result<void> allocated = (*opened)->allocate(manifest_file(file).size); !allocated) {
      opened->reset();
      static_cast<void>((*parent)->remove_file(name));  // the next attempt creates it again
      return std::unexpected(allocated.error());
    }
  }
  std::shared_ptr<store::File> shared = std::move(*opened);
  const std::lock_guard lock(mutex_);
  created_[file] = true;
  unsynced_.directories.emplace(parent_path);
  return shared;
}

Result<std::shared_ptr<store::File>> TreeWriter::file_for_write(std::size_t file) {
  const bool several = manifest_file(file).chunk_count() > 1;
  std::unique_lock<std::mutex> creating;
  for (;;) {
    bool created;
    {
      const std::lock_guard lock(mutex_);
      if (auto known = files_.find(file)) return known;
      created = created_[file];
    }
    if (created || !several || creating.owns_lock()) {
      auto opened = created ? file_for_read(file) : create_file(file);
      if (!opened || !several) return opened;
      const std::lock_guard lock(mutex_);
      files_.put(file, *opened);
      return opened;
    }
    creating = std::unique_lock(create_mutex_);  // then check again: another thread may have created the file
  }
}

Result<std::shared_ptr<store::File>> TreeWriter::file_for_read(std::size_t file) {
  const auto [parent_path, name] = split(manifest_file(file).path);
  const auto parent = directory(parent_path, false);
  if (!parent) return std::unexpected(parent.error());
  auto opened = (*parent)->open_file(name, store::OpenMode::write);
  if (!opened) return std::unexpected(opened.error());
  return std::shared_ptr<store::File>(std::move(*opened));
}

void TreeWriter::mark_written(std::size_t file) {
  const std::lock_guard lock(mutex_);
  unsynced_.files.insert(file);
}

Result<void> TreeWriter::set_attributes(std::size_t file, store::File& handle) {
  if (manifest_file(file).executable) {
    if (Result<void> done = handle.set_executable(true); !done) return done;
  }
  const auto& times = document_->times.file_times;
  if (times.empty()) return {};
  return handle.set_mtime(times[file]);
}

Result<void> TreeWriter::make_directory(const std::string& path) {
  if (const auto made = directory(path, true); !made) return std::unexpected(made.error());
  return {};
}

Result<void> TreeWriter::make_symlink(const protocol::ManifestSymlink& symlink) {
  const auto [parent_path, name] = split(symlink.path);
  const auto parent = directory(parent_path, true);
  if (!parent) return std::unexpected(parent.error());
  if (const auto target = (*parent)->read_link(name); target && *target == symlink.target) return {};
  if (Result<void> removed = store::remove_tree(**parent, name); !removed) return removed;
  if (Result<void> made = (*parent)->make_symlink(name, symlink.target); !made) return made;
  const std::lock_guard lock(mutex_);
  unsynced_.directories.emplace(parent_path);
  return {};
}

Result<void> TreeWriter::finish_file(std::size_t file) {
  if (manifest_file(file).size == 0) {
    bool created;
    {
      const std::lock_guard lock(mutex_);
      created = created_[file];
    }
    if (!created) {
      if (const auto empty = create_file(file); !empty) return std::unexpected(empty.error());
    }
  }
  const auto [parent_path, name] = split(manifest_file(file).path);
  const auto parent = directory(parent_path, false);
  if (!parent) return std::unexpected(parent.error());
  const auto info = (*parent)->info(name);
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::regular || info->size != manifest_file(file).size) {
    return fail(ErrorCode::invalid, (*parent)->path() + "/" + std::string(name) +
                                        " was changed by another program during the download; download it again");
  }
  const auto& times = document_->times.file_times;
  const bool right_time = times.empty() || info->mtime == times[file];
  if (right_time && info->executable == manifest_file(file).executable) return {};
  const auto handle = file_for_read(file);
  if (!handle) return std::unexpected(handle.error());
  if (Result<void> done = (*handle)->set_executable(manifest_file(file).executable); !done) return done;
  return set_attributes(file, **handle);
}

void TreeWriter::close() {
  const std::lock_guard lock(mutex_);
  files_.clear();
  directories_.clear();
}

UnsyncedPaths TreeWriter::extract_unsynced() {
  const std::lock_guard lock(mutex_);
  return std::exchange(unsynced_, {});
}

Result<void> TreeWriter::sync(const UnsyncedPaths& paths) {
  if (paths.files.size() + paths.directories.size() > kFewSyncs) return root_->sync_file_system();
  for (const std::size_t file : paths.files) {
    const auto handle = file_for_write(file);
    if (!handle) return std::unexpected(handle.error());
    if (Result<void> synced = (*handle)->sync(); !synced) return synced;
  }
  for (const std::string& path : paths.directories) {
    const auto handle = directory(path, false);
    if (!handle) return std::unexpected(handle.error());
    if (Result<void> synced = (*handle)->sync(); !synced) return synced;
  }
  return {};
}

void TreeWriter::discard(const std::set<std::size_t>& files) {
  const std::lock_guard creating(create_mutex_);
  for (const std::size_t file : files) {
    {
      const std::lock_guard lock(mutex_);
      files_.erase(file);
    }
    const auto [parent_path, name] = split(manifest_file(file).path);
    if (const auto parent = directory(parent_path, false)) static_cast<void>((*parent)->remove_file(name));
  }
}

}  // namespace peer::staging
