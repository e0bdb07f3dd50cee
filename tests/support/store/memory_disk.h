// MemoryDisk: a file system in memory that fails, fills up and loses power on demand.
//
// 1. A power cut may lose changes that are not synced: file data page by page (File::sync, sync_file_system), directory
//    entries operation by operation (Directory::sync, sync_file_system). The seed of power_cut() decides. A rename is
//    kept or lost as a whole, and an operation is lost with the earlier operations it depends on, as on a journaling
//    file system.
// 2. Handles from before a power cut fail with EIO.
// 3. Inode numbers count up, and times come from the given clock, so equal runs give equal disks.
// Loop: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/store/disk.h"

namespace peer::test {

namespace memory {
struct Node;
struct Tree;
}  // namespace memory

class MemoryDisk final : public store::Disk {
 public:
  MemoryDisk();
  ~MemoryDisk() override;

  Result<std::unique_ptr<store::Directory>> open(const std::string& path, bool create, bool private_mode) override;

  /// Called before each operation with its name ("write_at", "sync", "rename", ...), its path and the number of earlier
  /// calls. Returns the errno that the operation fails with, or 0 to let it proceed. It may use this disk.
  using FaultHook = std::function<int(std::string_view operation, const std::string& path, std::uint64_t call)>;
  void on_call(FaultHook hook);
  std::uint64_t calls() const;

  /// Applies 1 and 2.
  void power_cut(std::uint64_t seed);
  /// Bytes of file content that fit, including allocated ones.
  void set_capacity(std::uint64_t bytes);
  /// Returns nanoseconds since 1970.
  void set_clock(std::function<std::int64_t()> clock);
  void set_exchange_supported(bool supported);
  /// Behaves as FUSE: a file that is removed while open keeps a hidden name in its directory until it is closed.
  void set_hides_open_files(bool hides);

  std::uint64_t bytes_read() const;
  std::uint64_t bytes_written() const;
  std::size_t open_files() const;
  std::size_t open_directories() const;

  // What a user at the same machine does. Paths are absolute, missing directories are made, no fault applies, and
  // changes are durable at once. An impossible path is a bug of the test.
  void write(const std::string& path, std::string_view content);
  /// Overwrites bytes without changing the times, as a failing disk does.
  void corrupt(const std::string& path, std::uint64_t offset, std::string_view bytes);
  void make_directories(const std::string& path);
  void make_symlink(const std::string& path, const std::string& target);
  void make_fifo(const std::string& path);
  void remove(const std::string& path);  ///< with everything below it
  void set_mtime(const std::string& path, std::int64_t time);
  void set_executable(const std::string& path, bool executable);
  /// Makes the directory a mount point, which cannot be renamed or removed.
  void set_mount(const std::string& path, bool mount);
  /// Everything belongs to user 1000, who is this process's user, until this call. It does not follow a symlink.
  void set_owner(const std::string& path, std::uint32_t user);
  /// The mode of a directory, which decides who may move symlinks. Before this call it is 0755.
  void set_mode(const std::string& path, std::uint32_t mode);
  bool exists(const std::string& path) const;
  std::string read(const std::string& path) const;
  /// Every path below `path`, relative to it, sorted: "dir/", "file", "link -> target".
  std::vector<std::string> tree(const std::string& path) const;

 private:
  std::shared_ptr<memory::Tree> tree_;  // shared with open handles
};

}  // namespace peer::test
