// The data of MemoryDisk: nodes, operations that are not durable yet, and the effect of a power cut.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/store/disk.h"

namespace peer::test::memory {

inline constexpr std::size_t kPage = 4096;

struct Node;
using NodePtr = std::shared_ptr<Node>;
using Entries = std::map<std::string, NodePtr, std::less<>>;

inline constexpr std::uint32_t kUser = 1000;

struct Metadata {
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  bool executable = false;
};

/// The name of a file that was removed while it was open, as on FUSE. Empty: none.
struct HiddenName {
  std::weak_ptr<Node> directory;
  std::string name;
};

struct Node {
  store::FileType type = store::FileType::regular;
  std::uint64_t inode = 0;
  std::int64_t mtime = 0;
  std::int64_t ctime = 0;
  bool executable = false;
  bool mount = false;   // a mount point
  bool linked = false;  // has a name
  std::uint32_t owner = kUser;
  std::uint32_t mode = 0755;  // of a directory; it decides only who may move symlinks
  int open = 0;               // number of handles of a file
  HiddenName hidden;
  std::string target;  // of a symlink

  Entries entries;  // of a directory
  Entries durable_entries;

  std::vector<std::uint8_t> data;  // of a file
  // The state at the last sync: old content of each page written since, and old metadata if anything changed.
  std::map<std::size_t, std::vector<std::uint8_t>> unsynced;
  std::optional<Metadata> durable;
};

/// A name's new node; null removes the name.
struct Assignment {
  NodePtr directory;
  std::string name;
  NodePtr node;
};
/// Assignments that become durable together or not at all.
using Operation = std::vector<Assignment>;

struct TreeCounters {
  std::uint64_t calls = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::size_t open_files = 0;
  std::size_t open_directories = 0;
};

/// `mutex` guards every member except `epoch`.
struct Tree {
  std::mutex mutex;
  NodePtr root;
  std::list<Operation> pending;  // in order
  std::set<NodePtr> dirty;       // files with unsynced changes
  std::uint64_t last_inode = 0;
  std::atomic<std::uint64_t> epoch = 0;  // counts power cuts
  std::uint64_t capacity = std::uint64_t{1} << 50;
  std::uint64_t used = 0;
  TreeCounters counters;
  bool exchange_supported = true;
  bool hides_open_files = false;
  std::function<std::int64_t()> clock;
  std::function<int(std::string_view, const std::string&, std::uint64_t)> hook;

  std::int64_t now() const { return clock ? clock() : 0; }
  NodePtr make(store::FileType type);
  /// Assigns the names in memory and queues the operation for a later sync.
  void apply(Operation operation);
  /// Removes the name. An open file gets a hidden name if `hides_open_files`.
  void remove(const NodePtr& directory, std::string_view name, const NodePtr& entry);
  void close(const NodePtr& file);
  void change(const NodePtr& file);  ///< saves the durable state before the file changes
  int write(const NodePtr& file, std::span<const std::uint8_t> from, std::uint64_t offset);
  int resize(const NodePtr& file, std::uint64_t size);
  void sync_file(const NodePtr& file);
  void sync_directory(const Node& directory);
  void sync_all();
  void power_cut(std::uint64_t seed);

  /// Finds the node at an absolute path. `follow`: also follows a symlink in the last component. Returns 0 or an errno.
  int find(std::string_view path, bool follow, NodePtr& found) const;
  const NodePtr* parent(const Node& directory) const;
  int follow_link(const NodePtr& directory, std::string_view target, int depth, NodePtr& found) const;
  /// As find() from `directory`, and adds every symlink on the way to `links`.
  int resolve(NodePtr directory, std::string path, std::vector<store::LinkStep>& links, NodePtr& found) const;

 private:
  bool others_may_write(const Node& directory) const;
  int walk(NodePtr from, std::string_view path, bool follow, int depth, NodePtr& found) const;
  void recover(const NodePtr& directory);
  std::map<const Node*, NodePtr> parents_;  // of directories, for ".."
};

}  // namespace peer::test::memory
