// TreeWriter: writes the files of a manifest below one directory, and never outside it.
//
// It opens directories component by component without following symlinks, and keeps the handles that were used last.
// Loop: any thread, several at once; no mutex is held while a file is read or written.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/lru.h"
#include "libpeer/base/result.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// Files and directories that may not be durable yet.
struct UnsyncedPaths {
  std::set<std::size_t> files;        ///< indices into Manifest::files
  std::set<std::string> directories;  ///< directories with new entries; "" is the root
};

class TreeWriter {
 public:
  TreeWriter(std::unique_ptr<store::Directory> root, std::shared_ptr<const protocol::ManifestDocument> document);

  store::Directory& root() noexcept { return *root_; }

  /// Finds the files that exist with their full size. Removes any other entry in a file's place.
  Result<std::vector<bool>> find_full_size_files();

  /// Opens a file for writing. The first call creates it, and reserves its blocks if it has several chunks.
  Result<std::shared_ptr<store::File>> file_for_write(std::size_t file);
  Result<std::shared_ptr<store::File>> file_for_read(std::size_t file);
  /// Records that the file has unsynced data.
  void mark_written(std::size_t file);
  /// Sets the executable bit and the modification time from the manifest.
  Result<void> set_attributes(std::size_t file, store::File& handle);

  Result<void> make_directory(const std::string& path);
  Result<void> make_symlink(const protocol::ManifestSymlink& symlink);
  /// Creates the file if it is empty and does not exist, and sets missing attributes. Fails: invalid if its size is
  /// wrong.
  Result<void> finish_file(std::size_t file);

  /// Closes the kept handles, except the root. Must not run at the same time as another call.
  void close();

  /// Returns the unsynced paths, and starts a new collection.
  UnsyncedPaths extract_unsynced();
  /// Makes the paths durable: one by one if they are few, otherwise by syncing the whole file system.
  Result<void> sync(const UnsyncedPaths& paths);
  /// Removes files whose sync failed: the kernel may have marked their pages clean without writing them.
  void discard(const std::set<std::size_t>& files);

 private:
  using DirectoryPtr = std::shared_ptr<store::Directory>;
  static constexpr std::size_t kFewSyncs = 16;

  /// Opens the directory with that path below the root. `create`: creates missing directories.
  Result<DirectoryPtr> directory(std::string_view path, bool create);
  Result<DirectoryPtr> enter(store::Directory& parent, std::string_view parent_path, std::string_view name,
                             bool create);
  Result<std::shared_ptr<store::File>> create_file(std::size_t file);
  const protocol::ManifestFile& manifest_file(std::size_t file) const { return document_->manifest.files[file]; }

  DirectoryPtr root_;
  std::shared_ptr<const protocol::ManifestDocument> document_;
  // The mutexes in the order in which they are locked:
  std::mutex
      create_mutex_;       ///< held while a file of several chunks is created or discarded, so that it is created once
  std::mutex walk_mutex_;  ///< held while directories are opened and created
  std::mutex mutex_;       ///< guards the members below
  Lru<std::string, store::Directory> directories_{16};
  Lru<std::size_t, store::File> files_{8};
  std::vector<bool> created_;
  UnsyncedPaths unsynced_;
};

}  // namespace peer::staging
