// MemoryDisk: a whole file system in memory that fails, fills up and loses power as the test wants.
//
// 1. What was not synced may be lost: file data page by page (File::sync, sync_file_system), entries operation by
// operation
//    (Directory::sync, sync_file_system). power_cut() decides each by its seed. An operation that names something whose
//    earlier operation was lost is lost too, and one rename is kept or lost as a whole, as on a journalling file
//    system.
// 2. Handles from before a power cut answer EIO.
// 3. Inode numbers count up and times come from the clock that was set: equal runs give equal disks.
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

  /// Called before each operation with its name ("write_at", "sync", "rename", ...), the path and the count of calls
  /// before it; the errno it returns is what the operation fails with, 0 lets it happen. It may use this disk.
  using FaultHook = std::function<int(std::string_view operation, const std::string& path, std::uint64_t call)>;
  void on_call(FaultHook hook);
  std::uint64_t calls() const;

  /// See 1. and 2.
  void power_cut(std::uint64_t seed);
  /// Bytes of file content that fit; allocated counts as used.
  void set_capacity(std::uint64_t bytes);
  /// ns since 1970.
  void set_clock(std::function<std::int64_t()> clock);
  void set_exchange_supported(bool supported);
  /// As FUSE does it: a file that is removed while it is open stays in its directory under a hidden name until it is
  /// closed.
  void set_hides_open_files(bool hides);

  std::uint64_t bytes_read() const;
  std::uint64_t bytes_written() const;
  std::size_t open_files() const;
  std::size_t open_directories() const;

  // A user at the same machine: absolute paths, missing directories are made, no faults, at once durable. A path that
  // cannot be served is a bug of the test.
  void write(const std::string& path, std::string_view content);
  /// Overwrites bytes and leaves the times alone: a silent change, as of a failing disk.
  void corrupt(const std::string& path, std::uint64_t offset, std::string_view bytes);
  void make_directories(const std::string& path);
  void make_symlink(const std::string& path, const std::string& target);
  void make_fifo(const std::string& path);
  void remove(const std::string& path);  ///< with all below it
  void set_mtime(const std::string& path, std::int64_t time);
  void set_executable(const std::string& path, bool executable);
  /// The directory is one on which something is mounted: it cannot be renamed or removed.
  void set_mount(const std::string& path, bool mount);
  bool exists(const std::string& path) const;
  std::string read(const std::string& path) const;
  /// Every path below `path`, relative to it, sorted: "dir/", "file", "link -> target".
  std::vector<std::string> tree(const std::string& path) const;

 private:
  std::shared_ptr<memory::Tree> tree_;  // open handles hold it too
};

}  // namespace peer::test
