#include "libpeer/staging/tree_writer.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace peer::staging {

namespace {

/// "a/b/c" is "a/b" and "c".
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return {std::string_view(), path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_missing(const Error& error) { return error.system == ENOENT; }

}  // namespace

TreeWriter::TreeWriter(std::unique_ptr<store::Directory> root,
                       std::shared_ptr<const protocol::ManifestDocument> document)
    : root_(std::move(root)), document_(std::move(document)), made_(document_->manifest.files.size()) {}

Result<TreeWriter::DirectoryPtr> TreeWriter::directory(std::string_view path, bool create) {
  const auto cached = [this](std::string_view at) -> DirectoryPtr {
    if (at.empty()) return root_;
    const std::lock_guard lock(mutex_);
    return directories_.find(at);
  };
  if (DirectoryPtr known = cached(path)) return known;
  // Whoever finds a directory that another thread made also finds it among what was touched.
  const std::lock_guard walking(walking_);
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
      touched_.directories.emplace(parent_path);
    }
    opened = parent.open_directory(name, false);
  }
  if (!opened) return std::unexpected(opened.error());
  return DirectoryPtr(std::move(*opened));
}

Result<std::vector<bool>> TreeWriter::survey() {
  std::vector<bool> whole(document_->manifest.files.size());
  std::optional<std::string_view> missing;  // the files of one directory follow each other
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto [parent_path, name] = split(entry(i).path);
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
    if (info->type == store::FileType::regular && info->size == entry(i).size) {
      whole[i] = true;
      continue;
    }
    if (Result<void> removed = store::remove_tree(**parent, name); !removed) return std::unexpected(removed.error());
  }
  const std::lock_guard lock(mutex_);
  made_ = whole;
  return whole;
}

Result<std::shared_ptr<store::File>> TreeWriter::make_file(std::size_t file) {
  const auto [parent_path, name] = split(entry(file).path);
  const auto parent = directory(parent_path, true);
  if (!parent) return std::unexpected(parent.error());
  auto opened = (*parent)->open_file(name, store::OpenMode::create_new);
  if (!opened && opened.error().system == EEXIST) {
    return fail(ErrorCode::disk_error,
                (*parent)->path() + "/" + std::string(name) +
                    " is there already: either something else put it there, or this file system does not tell upper "
                    "from lower case, which this game needs",
                EEXIST);
  }
  if (!opened) return std::unexpected(opened.error());
  if (entry(file).chunk_count() > 1) {
    if (Result<void> allocated = (*opened)->allocate(entry(file).size); !allocated) {
      opened->reset();
      static_cast<void>((*parent)->remove_file(name));  // the next attempt makes it anew
      return std::unexpected(allocated.error());
    }
  }
  std::shared_ptr<store::File> shared = std::move(*opened);
  const std::lock_guard lock(mutex_);
  made_[file] = true;
  touched_.directories.emplace(parent_path);
  return shared;
}

Result<std::shared_ptr<store::File>> TreeWriter::file_for_write(std::size_t file) {
  const bool several = entry(file).chunk_count() > 1;
  std::unique_lock<std::mutex> making;
  for (;;) {
    bool made;
    {
      const std::lock_guard lock(mutex_);
      if (auto known = files_.find(file)) return known;
      made = made_[file];
    }
    if (made || !several || making.owns_lock()) {
      auto opened = made ? file_for_read(file) : make_file(file);
      if (!opened || !several) return opened;
      const std::lock_guard lock(mutex_);
      files_.put(file, *opened);
      return opened;
    }
    making = std::unique_lock(making_);  // and look again: another thread may have made it meanwhile
  }
}

Result<std::shared_ptr<store::File>> TreeWriter::file_for_read(std::size_t file) {
  const auto [parent_path, name] = split(entry(file).path);
  const auto parent = directory(parent_path, false);
  if (!parent) return std::unexpected(parent.error());
  auto opened = (*parent)->open_file(name, store::OpenMode::write);
  if (!opened) return std::unexpected(opened.error());
  return std::shared_ptr<store::File>(std::move(*opened));
}

void TreeWriter::touched(std::size_t file) {
  const std::lock_guard lock(mutex_);
  touched_.files.insert(file);
}

Result<void> TreeWriter::set_attributes(std::size_t file, store::File& handle) {
  if (entry(file).executable) {
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
  touched_.directories.emplace(parent_path);
  return {};
}

Result<void> TreeWriter::finish_file(std::size_t file) {
  if (entry(file).size == 0) {
    bool made;
    {
      const std::lock_guard lock(mutex_);
      made = made_[file];
    }
    if (!made) {
      if (const auto empty = make_file(file); !empty) return std::unexpected(empty.error());
    }
  }
  const auto [parent_path, name] = split(entry(file).path);
  const auto parent = directory(parent_path, false);
  if (!parent) return std::unexpected(parent.error());
  const auto info = (*parent)->info(name);
  if (!info) return std::unexpected(info.error());
  if (info->type != store::FileType::regular || info->size != entry(file).size) {
    return fail(ErrorCode::invalid, (*parent)->path() + "/" + std::string(name) +
                                        " was changed by something else while it was downloaded; download it again");
  }
  const auto& times = document_->times.file_times;
  const bool right_time = times.empty() || info->mtime == times[file];
  if (right_time && info->executable == entry(file).executable) return {};
  const auto handle = file_for_read(file);
  if (!handle) return std::unexpected(handle.error());
  if (Result<void> done = (*handle)->set_executable(entry(file).executable); !done) return done;
  return set_attributes(file, **handle);
}

void TreeWriter::close() {
  const std::lock_guard lock(mutex_);
  files_.clear();
  directories_.clear();
}

Touched TreeWriter::take_touched() {
  const std::lock_guard lock(mutex_);
  return std::exchange(touched_, {});
}

Result<void> TreeWriter::sync(const Touched& what) {
  if (what.files.size() + what.directories.size() > kFewSyncs) return root_->sync_file_system();
  for (const std::size_t file : what.files) {
    const auto handle = file_for_write(file);
    if (!handle) return std::unexpected(handle.error());
    if (Result<void> synced = (*handle)->sync(); !synced) return synced;
  }
  for (const std::string& path : what.directories) {
    const auto handle = directory(path, false);
    if (!handle) return std::unexpected(handle.error());
    if (Result<void> synced = (*handle)->sync(); !synced) return synced;
  }
  return {};
}

void TreeWriter::discard(const std::set<std::size_t>& files) {
  const std::lock_guard making(making_);
  for (const std::size_t file : files) {
    {
      const std::lock_guard lock(mutex_);
      files_.erase(file);
    }
    const auto [parent_path, name] = split(entry(file).path);
    if (const auto parent = directory(parent_path, false)) static_cast<void>((*parent)->remove_file(name));
  }
}

}  // namespace peer::staging
