// TreeWriter: the files of a manifest below one directory, which nothing it does can leave.
//
// Directories are walked component by component without following symlinks; the handles used last are kept. Any thread,
// several at once: a mutex guards the caches and the accounts, never a read or write.
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

/// What was changed and may not be durable yet.
struct Touched {
  std::set<std::size_t> files;        ///< indices into Manifest::files
  std::set<std::string> directories;  ///< with new entries; "" is the root
};

class TreeWriter {
 public:
  TreeWriter(std::unique_ptr<store::Directory> root, std::shared_ptr<const protocol::ManifestDocument> document);

  store::Directory& root() noexcept { return *root_; }

  /// Looks which files are there whole in size; what stands in a file's place and is not that is removed.
  Result<std::vector<bool>> survey();

  /// The file to write into, with its blocks reserved if it has several chunks; made when first asked for.
  Result<std::shared_ptr<store::File>> file_for_write(std::size_t file);
  Result<std::shared_ptr<store::File>> file_for_read(std::size_t file);
  /// A write into the file is done.
  void touched(std::size_t file);
  /// The executable bit and the time that the manifest gives it.
  Result<void> set_attributes(std::size_t file, store::File& handle);

  Result<void> make_directory(const std::string& path);
  Result<void> make_symlink(const protocol::ManifestSymlink& symlink);
  /// Makes the file if it is not there (an empty one), and gives it the attributes it lacks. Fails: invalid when its
  /// size is wrong.
  Result<void> finish_file(std::size_t file);

  /// Closes the handles that are kept; the root stays open. Not beside any other call.
  void close();

  Touched take_touched();
  /// Makes them durable: one by one when they are few, else with the whole file system.
  Result<void> sync(const Touched& what);
  /// Removes files whose sync failed: their pages count as clean and may never reach the disk.
  void discard(const std::set<std::size_t>& files);

 private:
  using DirectoryPtr = std::shared_ptr<store::Directory>;
  static constexpr std::size_t kFewSyncs = 16;

  /// The directory of that path below the root; with `create`, missing ones are made.
  Result<DirectoryPtr> directory(std::string_view path, bool create);
  Result<DirectoryPtr> enter(store::Directory& parent, std::string_view parent_path, std::string_view name,
                             bool create);
  Result<std::shared_ptr<store::File>> make_file(std::size_t file);
  const protocol::ManifestFile& entry(std::size_t file) const { return document_->manifest.files[file]; }

  DirectoryPtr root_;
  std::shared_ptr<const protocol::ManifestDocument> document_;
  // In order of locking:
  std::mutex making_;   // held while a file of several chunks is made or discarded: it is made once
  std::mutex walking_;  // held while directories are opened and made
  std::mutex mutex_;    // over all that follows
  Lru<std::string, store::Directory> directories_{16};
  Lru<std::size_t, store::File> files_{8};
  std::vector<bool> made_;
  Touched touched_;
};

}  // namespace peer::staging
