#include <algorithm>
#include <cerrno>

#include "support/store/memory_node.h"

namespace peer::test::memory {

using store::File;
using store::FileInfo;
using store::FileType;

namespace {

class MemoryFile final : public File, private NodeHandle {
 public:
  MemoryFile(std::shared_ptr<Tree> t, NodePtr n, std::string p, bool writable)
      : NodeHandle(std::move(t), std::move(n), std::move(p)), writable_(writable) {
    ++tree->counters.open_files;
    ++node->open;
  }
  ~MemoryFile() override {
    const std::lock_guard lock(tree->mutex);
    --tree->counters.open_files;
    tree->close(node);
  }

  Result<std::size_t> read_at(std::span<std::uint8_t> into, std::uint64_t offset) override {
    std::size_t count = 0;
    const Result<void> done = call("read_at", "", [&] {
      if (offset < node->data.size()) count = std::min<std::size_t>(into.size(), node->data.size() - offset);
      std::copy_n(node->data.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(offset, node->data.size())),
                  count, into.begin());
      tree->counters.bytes_read += count;
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return count;
  }
  Result<void> write_at(std::span<const std::uint8_t> from, std::uint64_t offset) override {
    return change("write_at", [&] { return tree->write(node, from, offset); });
  }
  Result<FileInfo> info() override {
    FileInfo info;
    const Result<void> done = call("file_info", "", [&] {
      info = info_of(*node);
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return info;
  }
  Result<void> allocate(std::uint64_t size) override {
    return change("allocate", [&] { return tree->resize(node, size); });
  }
  Result<void> truncate(std::uint64_t size) override {
    return change("truncate", [&] { return tree->resize(node, size); });
  }
  Result<void> set_mtime(std::int64_t nanoseconds) override {
    return call("set_mtime", "", [&] {
      tree->change(node);
      node->mtime = nanoseconds;
      return 0;
    });
  }
  Result<void> set_executable(bool executable) override {
    return call("set_executable", "", [&] {
      tree->change(node);
      node->executable = executable;
      return 0;
    });
  }
  Result<void> sync() override {
    return call("file_sync", "", [&] {
      tree->sync_file(node);
      return 0;
    });
  }

 private:
  template <class F>
  Result<void> change(std::string_view operation, F work) {
    return call(operation, "", [&] { return writable_ ? work() : EBADF; });
  }
  bool writable_;
};

}  // namespace

FileInfo info_of(const Node& node) noexcept {
  const std::uint64_t size = node.type == FileType::symlink ? node.target.size() : node.data.size();
  return FileInfo{node.type, size, node.mtime, node.ctime, node.inode, node.executable, node.mount};
}

std::unique_ptr<File> open_memory_file(std::shared_ptr<Tree> tree, NodePtr node, std::string path, bool writable) {
  return std::make_unique<MemoryFile>(std::move(tree), std::move(node), std::move(path), writable);
}

}  // namespace peer::test::memory
