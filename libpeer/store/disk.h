// Disk: files and directories behind an interface. POSIX in the daemon; in memory, failing and losing power in tests.
//
// Every call blocks and runs on a worker. A Directory is an open handle; names given to it are single components, and
// no call follows a symlink in its last component unless it says so: what is below a directory cannot lead out of it.
// Fails: errno in Error::system; the message names the whole path.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"

namespace peer::store {

enum class FileType : std::uint8_t { regular, directory, symlink, other };

/// Times in nanoseconds since 1970.
struct FileInfo {
  FileType type = FileType::other;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::int64_t ctime = 0;
  std::uint64_t inode = 0;
  bool executable = false;  ///< the owner's x bit
  bool mount = false;       ///< a directory on which something is mounted; only told by Directory::info()
};

/// Which directory it is, whatever path led to it.
struct DirectoryId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const DirectoryId&) const = default;
};

struct Space {
  std::uint64_t available = 0;  ///< bytes an ordinary user may still write
  std::uint64_t total = 0;
};

/// An open regular file. Its calls may come from several workers at once.
class File {
 public:
  virtual ~File() = default;
  /// Reads until `into` is full or the file ends; returns the count.
  virtual Result<std::size_t> read_at(std::span<std::uint8_t> into, std::uint64_t offset) = 0;
  /// Writes all of it.
  virtual Result<void> write_at(std::span<const std::uint8_t> from, std::uint64_t offset) = 0;
  virtual Result<FileInfo> info() = 0;
  /// Reserves blocks and sets the size; where the file system cannot reserve, only sets the size.
  virtual Result<void> allocate(std::uint64_t size) = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<void> set_mtime(std::int64_t nanoseconds) = 0;
  /// Where the file system keeps no such bit, nothing happens: info() tells.
  virtual Result<void> set_executable(bool executable) = 0;
  /// Data and the metadata needed to read it are durable. A failure is final for this file: never retry.
  virtual Result<void> sync() = 0;
};

enum class OpenMode : std::uint8_t {
  read,        ///< must exist
  write,       ///< must exist
  create,      ///< read and write; made if missing
  create_new,  ///< read and write; must not exist
};

enum class RenameMode : std::uint8_t {
  replace,     ///< as rename(2)
  no_replace,  ///< EEXIST if the target exists
  exchange,    ///< both exist and change places; EINVAL or ENOSYS where unsupported
};

struct DirectoryEntry {
  std::string name;
  FileType type;
};

class Directory {
 public:
  virtual ~Directory() = default;
  virtual const std::string& path() const = 0;  ///< for messages
  /// This directory, then every one above it, up to the top: of the open handle, so that no rename or link deceives.
  virtual Result<std::vector<DirectoryId>> ancestry() = 0;
  /// Without "." and "..", unordered.
  virtual Result<std::vector<DirectoryEntry>> list() = 0;
  /// Of the entry itself, a symlink included.
  virtual Result<FileInfo> info(std::string_view name) = 0;
  /// `follow`: a symlink to a directory is taken (a game may be one).
  virtual Result<std::unique_ptr<Directory>> open_directory(std::string_view name, bool follow) = 0;
  /// Whether this user may remove what lies in this directory. Fails: EACCES, EPERM, EROFS.
  virtual Result<void> may_remove_entries() = 0;
  virtual Result<void> make_directory(std::string_view name) = 0;  ///< EEXIST is an error
  virtual Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) = 0;
  virtual Result<std::string> read_link(std::string_view name) = 0;
  virtual Result<void> make_symlink(std::string_view name, std::string_view target) = 0;
  virtual Result<void> rename(std::string_view from, Directory& to_directory, std::string_view to, RenameMode mode) = 0;
  virtual Result<void> remove_file(std::string_view name) = 0;       ///< anything but a directory
  virtual Result<void> remove_directory(std::string_view name) = 0;  ///< must be empty
  /// This directory's entries are durable.
  virtual Result<void> sync() = 0;
  /// Everything on this file system is durable (syncfs).
  virtual Result<void> sync_file_system() = 0;
  virtual Result<Space> space() = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  /// An absolute path, symlinks followed; with `create`, missing directories are made (mode 0755, or `private_mode`:
  /// 0700).
  virtual Result<std::unique_ptr<Directory>> open(const std::string& path, bool create, bool private_mode) = 0;
};

/// The machine's own file systems.
std::unique_ptr<Disk> posix_disk();

// Conveniences over the interface.
Result<std::vector<std::uint8_t>> read_file(Directory& directory, std::string_view name, std::uint64_t limit);
/// Written beside, synced, renamed over: a reader sees the old or the new content, also after a power cut. Secrets are
/// guarded by their directory's mode (0700).
Result<void> write_file_atomically(Directory& directory, std::string_view name, std::span<const std::uint8_t> content);
/// The entry and all below it, symlinks not followed; a missing one is no error. Fails: EBUSY at a mount point, so that
/// nothing outside is deleted.
Result<void> remove_tree(Directory& directory, std::string_view name);

}  // namespace peer::store
