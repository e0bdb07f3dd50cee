// MemoryDisk's settings and counters, and its calls for a user at the same machine.
#include <algorithm>

#include "libpeer/base/check.h"
#include "support/store/memory_disk.h"
#include "support/store/memory_tree.h"

namespace peer::test {

using memory::NodePtr;
using store::FileType;

namespace {

NodePtr must_find(const memory::Tree& tree, const std::string& path, bool follow) {
  NodePtr found;
  PEER_CHECK(tree.find(path, follow, found) == 0);
  return found;
}

NodePtr make_path(memory::Tree& tree, std::string_view path) {
  NodePtr found;
  if (tree.find(path, true, found) == 0) return found;
  const std::size_t slash = path.rfind('/');
  const NodePtr parent = make_path(tree, path.substr(0, slash));
  found = tree.make(FileType::directory);
  tree.apply({{parent, std::string(path.substr(slash + 1)), found}});
  return found;
}

void place(memory::Tree& tree, const std::string& path, const NodePtr& node) {
  const std::size_t slash = path.rfind('/');
  const NodePtr parent = make_path(tree, std::string_view(path).substr(0, slash));
  tree.apply({{parent, path.substr(slash + 1), node}});
}

void collect(const memory::Node& directory, const std::string& prefix, std::vector<std::string>& into) {
  for (const auto& [name, node] : directory.entries) {
    const std::string path = prefix + name;
    switch (node->type) {
      case FileType::directory:
        into.push_back(path + "/");
        collect(*node, path + "/", into);
        break;
      case FileType::symlink: into.push_back(path + " -> " + node->target); break;
      default: into.push_back(path);
    }
  }
}

}  // namespace

void MemoryDisk::on_call(FaultHook hook) {
  const std::lock_guard lock(tree_->mutex);
  tree_->hook = std::move(hook);
}
std::uint64_t MemoryDisk::calls() const {
  const std::lock_guard lock(tree_->mutex);
  return tree_->counters.calls;
}
void MemoryDisk::power_cut(std::uint64_t seed) {
  const std::lock_guard lock(tree_->mutex);
  tree_->power_cut(seed);
}
void MemoryDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(tree_->mutex);
  tree_->capacity = bytes;
}
void MemoryDisk::set_clock(std::function<std::int64_t()> clock) {
  const std::lock_guard lock(tree_->mutex);
  tree_->clock = std::move(clock);
}
void MemoryDisk::set_exchange_supported(bool supported) {
  const std::lock_guard lock(tree_->mutex);
  tree_->exchange_supported = supported;
}
void MemoryDisk::set_hides_open_files(bool hides) {
  const std::lock_guard lock(tree_->mutex);
  tree_->hides_open_files = hides;
}
std::uint64_t MemoryDisk::bytes_read() const {
  const std::lock_guard lock(tree_->mutex);
  return tree_->counters.bytes_read;
}
std::uint64_t MemoryDisk::bytes_written() const {
  const std::lock_guard lock(tree_->mutex);
  return tree_->counters.bytes_written;
}
std::size_t MemoryDisk::open_files() const {
  const std::lock_guard lock(tree_->mutex);
  return tree_->counters.open_files;
}
std::size_t MemoryDisk::open_directories() const {
  const std::lock_guard lock(tree_->mutex);
  return tree_->counters.open_directories;
}

void MemoryDisk::write(const std::string& path, std::string_view content) {
  const std::lock_guard lock(tree_->mutex);
  NodePtr file;
  if (tree_->find(path, true, file) != 0) {
    file = tree_->make(FileType::regular);
    place(*tree_, path, file);
  }
  PEER_CHECK(tree_->resize(file, 0) == 0);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
  PEER_CHECK(tree_->write(file, bytes, 0) == 0);
  tree_->counters.bytes_written -= content.size();
  tree_->sync_all();
}
void MemoryDisk::corrupt(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  const std::lock_guard lock(tree_->mutex);
  const NodePtr file = must_find(*tree_, path, true);
  PEER_CHECK(offset + bytes.size() <= file->data.size());
  std::ranges::copy(bytes, file->data.begin() + static_cast<std::ptrdiff_t>(offset));
}
void MemoryDisk::make_directories(const std::string& path) {
  const std::lock_guard lock(tree_->mutex);
  make_path(*tree_, path);
  tree_->sync_all();
}
void MemoryDisk::make_symlink(const std::string& path, const std::string& target) {
  const std::lock_guard lock(tree_->mutex);
  const NodePtr link = tree_->make(FileType::symlink);
  link->target = target;
  place(*tree_, path, link);
  tree_->sync_all();
}
void MemoryDisk::make_fifo(const std::string& path) {
  const std::lock_guard lock(tree_->mutex);
  place(*tree_, path, tree_->make(FileType::other));
  tree_->sync_all();
}
void MemoryDisk::remove(const std::string& path) {
  const std::lock_guard lock(tree_->mutex);
  static_cast<void>(must_find(*tree_, path, false));
  place(*tree_, path, nullptr);
  tree_->sync_all();
}
void MemoryDisk::set_mtime(const std::string& path, std::int64_t time) {
  const std::lock_guard lock(tree_->mutex);
  const NodePtr file = must_find(*tree_, path, true);
  file->mtime = time;
  file->ctime = tree_->now();
}
void MemoryDisk::set_mount(const std::string& path, bool mount) {
  const std::lock_guard lock(tree_->mutex);
  must_find(*tree_, path, true)->mount = mount;
}
void MemoryDisk::set_executable(const std::string& path, bool executable) {
  const std::lock_guard lock(tree_->mutex);
  const NodePtr file = must_find(*tree_, path, true);
  file->executable = executable;
  file->ctime = tree_->now();
}
void MemoryDisk::set_owner(const std::string& path, std::uint32_t user) {
  const std::lock_guard lock(tree_->mutex);
  must_find(*tree_, path, false)->owner = user;
}
void MemoryDisk::set_mode(const std::string& path, std::uint32_t mode) {
  const std::lock_guard lock(tree_->mutex);
  must_find(*tree_, path, true)->mode = mode;
}
bool MemoryDisk::exists(const std::string& path) const {
  const std::lock_guard lock(tree_->mutex);
  NodePtr found;
  return tree_->find(path, false, found) == 0;
}
std::string MemoryDisk::read(const std::string& path) const {
  const std::lock_guard lock(tree_->mutex);
  const NodePtr file = must_find(*tree_, path, true);
  return {file->data.begin(), file->data.end()};
}
std::vector<std::string> MemoryDisk::tree(const std::string& path) const {
  const std::lock_guard lock(tree_->mutex);
  std::vector<std::string> all;
  collect(*must_find(*tree_, path, true), "", all);
  std::ranges::sort(all);
  return all;
}

}  // namespace peer::test
