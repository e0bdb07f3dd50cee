// Disk: files and directories behind an interface. The daemon uses POSIX; tests use memory, with faults and power cuts.
//
// A Directory is an open handle. Names passed to it are single path components, and no call follows a symlink in the
// last component unless its comment says so, so nothing below a directory leads out of it.
// Loop: any worker; every call blocks.
// Fails: with the errno in Error::system and the full path in the message.
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
  bool mount = false;       ///< the directory is a mount point; set by Directory::info() only
};

/// Identifies a directory independently of its path.
struct DirectoryId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const DirectoryId&) const = default;
};

struct Space {
  std::uint64_t available = 0;  ///< bytes that an ordinary user may still write
  std::uint64_t total = 0;
};

/// An open regular file. Loop: several workers at once.
class File {
 public:
  virtual ~File() = default;
  /// Reads until `into` is full or the file ends. Returns the number of bytes.
  virtual Result<std::size_t> read_at(std::span<std::uint8_t> into, std::uint64_t offset) = 0;
  /// Writes all bytes.
  virtual Result<void> write_at(std::span<const std::uint8_t> from, std::uint64_t offset) = 0;
  virtual Result<FileInfo> info() = 0;
  /// Reserves blocks, if the file system can, and sets the size.
  virtual Result<void> allocate(std::uint64_t size) = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<void> set_mtime(std::int64_t nanoseconds) = 0;
  /// Succeeds without effect if the file system does not store the bit; info() shows the result.
  virtual Result<void> set_executable(bool executable) = 0;
  /// Makes the data, and the metadata needed to read it, durable. After a failure the file must not be used: a second
  /// call may succeed although data is lost.
  virtual Result<void> sync() = 0;
};

enum class OpenMode : std::uint8_t {
  read,            ///< must exist
  write,           ///< must exist
  create,          ///< read and write; created if missing
  create_new,      ///< read and write; must not exist
  create_private,  ///< as create_new, with mode 0600
};

enum class RenameMode : std::uint8_t {
  replace,     ///< as rename(2)
  no_replace,  ///< EEXIST if the target exists
  exchange,    ///< both must exist and are swapped; EINVAL or ENOSYS if unsupported
};

struct DirectoryEntry {
  std::string name;
  FileType type;
};

struct FollowedLink;

class Directory {
 public:
  virtual ~Directory() = default;
  virtual const std::string& path() const = 0;  ///< for messages
  /// This directory, then each parent up to the root. It follows the open handle, not the path, so renames and links do
  /// not change the result.
  virtual Result<std::vector<DirectoryId>> ancestry() = 0;
  /// All entries except "." and "..", in no order.
  virtual Result<std::vector<DirectoryEntry>> list() = 0;
  /// Describes the entry itself, even if it is a symlink.
  virtual Result<FileInfo> info(std::string_view name) = 0;
  /// `follow`: `name` may be a symlink to a directory, as a game may be.
  virtual Result<std::unique_ptr<Directory>> open_directory(std::string_view name, bool follow) = 0;
  /// Opens the directory that the symlink `name` leads to, and describes every symlink on the way. It reads each
  /// symlink through an open handle, so what it describes is what it follows. Fails: ENOTDIR, ELOOP.
  virtual Result<FollowedLink> follow_link(std::string_view name) = 0;
  /// Succeeds if this user may remove every entry of this directory. Fails: EACCES, EPERM, EROFS.
  virtual Result<void> may_remove_entries() = 0;
  virtual Result<void> make_directory(std::string_view name) = 0;  ///< fails with EEXIST if it exists
  virtual Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) = 0;
  virtual Result<std::string> read_link(std::string_view name) = 0;
  virtual Result<void> make_symlink(std::string_view name, std::string_view target) = 0;
  virtual Result<void> rename(std::string_view from, Directory& to_directory, std::string_view to, RenameMode mode) = 0;
  virtual Result<void> remove_file(std::string_view name) = 0;       ///< anything but a directory
  virtual Result<void> remove_directory(std::string_view name) = 0;  ///< must be empty
  /// Makes this directory's entries durable.
  virtual Result<void> sync() = 0;
  /// Makes everything on this file system durable (syncfs).
  virtual Result<void> sync_file_system() = 0;
  virtual Result<Space> space() = 0;
};

/// A symlink that was followed.
struct LinkStep {
  std::uint32_t owner = 0;  ///< user id
  bool own = false;         ///< it belongs to this process's user
  /// Set if `own`: other users may write to the directory that contains the symlink, or may replace a directory above
  /// it. So they may have moved the symlink there.
  bool movable = false;
};

struct FollowedLink {
  std::unique_ptr<Directory> directory;
  std::uint32_t owner = 0;  ///< user id of the directory's owner
  std::vector<LinkStep> links;
};

class Disk {
 public:
  virtual ~Disk() = default;
  /// Opens an absolute path; symlinks are followed. `create` makes missing directories, with mode 0755, or 0700 with
  /// `private_mode`.
  virtual Result<std::unique_ptr<Directory>> open(const std::string& path, bool create, bool private_mode) = 0;
};

/// The machine's own file systems.
std::unique_ptr<Disk> posix_disk();

/// Reads a whole file. Fails: invalid if it is longer than `limit`.
Result<std::vector<std::uint8_t>> read_file(Directory& directory, std::string_view name, std::uint64_t limit);
/// Writes a new file, syncs it and renames it over the old one, so that a reader sees the old or the new content, even
/// after a power cut. `mode` is create_new, or create_private for a secret.
Result<void> write_file_atomically(Directory& directory, std::string_view name, std::span<const std::uint8_t> content,
                                   OpenMode mode = OpenMode::create_new);
/// Removes the entry and everything below it, without following symlinks. A missing entry is not an error. Fails: EBUSY
/// at a mount point, so that nothing on another file system is deleted.
Result<void> remove_tree(Directory& directory, std::string_view name);

}  // namespace peer::store
