// NodeHandle: what MemoryDisk's open files and directories share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "support/store/memory_tree.h"

namespace peer::test::memory {

/// An open node under a path. It fails with EIO after a power cut.
struct NodeHandle {
  NodeHandle(std::shared_ptr<Tree> t, NodePtr n, std::string p)
      : tree(std::move(t)), node(std::move(n)), path(std::move(p)), epoch(tree->epoch.load()) {}

  std::string full(std::string_view name) const {
    return name.empty() ? path : (path == "/" ? "" : path) + "/" + std::string(name);
  }

  /// Calls the fault hook, then, if it returns 0, runs `work` under the lock. `work` returns an errno.
  template <class F>
  Result<void> call(std::string_view operation, std::string_view name, F work) const {
    if (const int error = run(operation, name, work); error != 0) return fail_errno(error, full(name));
    return {};
  }
  template <class F>
  int run(std::string_view operation, std::string_view name, F& work) const {
    std::function<int(std::string_view, const std::string&, std::uint64_t)> hook;
    std::uint64_t number;
    {
      const std::lock_guard lock(tree->mutex);
      number = tree->counters.calls++;
      hook = tree->hook;
    }
    if (hook) {
      if (const int error = hook(operation, full(name), number); error != 0) return error;
    }
    const std::lock_guard lock(tree->mutex);
    if (epoch != tree->epoch.load()) return EIO;
    return work();
  }

  std::shared_ptr<Tree> tree;
  NodePtr node;
  std::string path;
  std::uint64_t epoch;
};

store::FileInfo info_of(const Node& node) noexcept;

/// Opens a file of MemoryDisk. Call it with the tree's mutex held.
std::unique_ptr<store::File> open_memory_file(std::shared_ptr<Tree> tree, NodePtr node, std::string path,
                                              bool writable);

}  // namespace peer::test::memory
