#include "support/store/memory_disk.h"

#include <algorithm>
#include <cerrno>

#include "libpeer/base/check.h"
#include "support/store/memory_node.h"

namespace peer::test {

using memory::NodeHandle;
using memory::NodePtr;
using memory::Tree;
using store::Directory;
using store::DirectoryEntry;
using store::File;
using store::FileInfo;
using store::FileType;
using store::OpenMode;
using store::RenameMode;

namespace {

int component_error(std::string_view name) noexcept {
  if (name.size() > 255) return ENAMETOOLONG;
  const bool bad = name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.contains('\0');
  return bad ? EINVAL : 0;
}

class MemoryDirectory final : public Directory, private NodeHandle {
 public:
  MemoryDirectory(std::shared_ptr<Tree> t, NodePtr n, std::string p)
      : NodeHandle(std::move(t), std::move(n), std::move(p)) {
    ++tree->counters.open_directories;
  }
  ~MemoryDirectory() override {
    const std::lock_guard lock(tree->mutex);
    --tree->counters.open_directories;
  }

  const std::string& path() const override { return NodeHandle::path; }

  Result<std::vector<store::DirectoryId>> ancestry() override {
    std::vector<store::DirectoryId> all;
    const Result<void> done = call("ancestry", "", [&] {
      for (const NodePtr* at = &node; at != nullptr; at = tree->parent(**at)) all.push_back({1, (*at)->inode});
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return all;
  }

  Result<std::vector<DirectoryEntry>> list() override {
    std::vector<DirectoryEntry> entries;
    const Result<void> done = call("list", "", [&] {
      for (const auto& [name, entry] : node->entries) entries.push_back({name, entry->type});
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return entries;
  }

  Result<FileInfo> info(std::string_view name) override {
    FileInfo info;
    const Result<void> done = on("info", name, [&](const NodePtr& entry) {
      if (entry) info = memory::info_of(*entry);
      return entry ? 0 : ENOENT;
    });
    if (!done) return std::unexpected(done.error());
    return info;
  }

  Result<std::unique_ptr<Directory>> open_directory(std::string_view name, bool follow) override {
    std::unique_ptr<Directory> opened;
    const Result<void> done = on("open_directory", name, [&](const NodePtr& entry) {
      if (!entry) return ENOENT;
      NodePtr found = entry;
      if (entry->type == FileType::symlink && follow) {
        if (const int error = tree->follow_link(node, entry->target, 0, found); error != 0) return error;
      }
      if (found->type != FileType::directory) return ENOTDIR;
      opened = std::make_unique<MemoryDirectory>(tree, found, full(name));
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return opened;
  }

  Result<store::FollowedLink> follow_link(std::string_view name) override {
    store::FollowedLink followed;
    const Result<void> done = on("follow_link", name, [&](const NodePtr& entry) {
      if (!entry) return ENOENT;
      NodePtr found;
      if (const int error = tree->resolve(node, std::string(name), followed.links, found); error != 0) return error;
      if (found->type != FileType::directory) return ENOTDIR;
      followed.owner = found->owner;
      followed.directory = std::make_unique<MemoryDirectory>(tree, found, full(name));
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return followed;
  }

  Result<void> may_remove_entries() override {
    return call("may_remove_entries", "", [] { return 0; });
  }
  Result<void> make_directory(std::string_view name) override {
    return on("make_directory", name, [&](const NodePtr& entry) {
      if (entry) return EEXIST;
      tree->apply({{node, std::string(name), tree->make(FileType::directory)}});
      return 0;
    });
  }

  Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) override {
    std::unique_ptr<File> opened;
    const Result<void> done = on("open_file", name, [&](const NodePtr& entry) {
      NodePtr file = entry;
      const bool makes_new = mode == OpenMode::create_new || mode == OpenMode::create_private;
      const bool makes = mode == OpenMode::create || makes_new;
      if (entry && makes_new) return EEXIST;
      if (!entry && !makes) return ENOENT;
      if (!entry) {
        file = tree->make(FileType::regular);
        tree->apply({{node, std::string(name), file}});
      }
      if (file->type == FileType::symlink) return ELOOP;
      if (file->type == FileType::directory) return EISDIR;
      if (file->type != FileType::regular) return EINVAL;
      opened = memory::open_memory_file(tree, file, full(name), mode != OpenMode::read);
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return opened;
  }

  Result<std::string> read_link(std::string_view name) override {
    std::string target;
    const Result<void> done = on("read_link", name, [&](const NodePtr& entry) {
      if (!entry) return ENOENT;
      if (entry->type != FileType::symlink) return EINVAL;
      target = entry->target;
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return target;
  }

  Result<void> make_symlink(std::string_view name, std::string_view target) override {
    return on("make_symlink", name, [&](const NodePtr& entry) {
      if (entry) return EEXIST;
      const NodePtr link = tree->make(FileType::symlink);
      link->target = target;
      tree->apply({{node, std::string(name), link}});
      return 0;
    });
  }

  Result<void> rename(std::string_view from, Directory& to_directory, std::string_view to, RenameMode mode) override {
    auto* target = dynamic_cast<MemoryDirectory*>(&to_directory);
    PEER_CHECK(target != nullptr && target->tree == tree);
    return on("rename", from, [&](const NodePtr& entry) {
      if (const int error = component_error(to); error != 0) return error;
      const auto at = target->node->entries.find(to);
      const NodePtr there = at == target->node->entries.end() ? nullptr : at->second;
      if (!entry || (mode == RenameMode::exchange && !there)) return ENOENT;
      if (mode == RenameMode::no_replace && there) return EEXIST;
      if (mode == RenameMode::exchange && !tree->exchange_supported) return EINVAL;
      if (entry == there) return 0;
      if (entry->mount || (there && there->mount)) return EBUSY;
      if (mode == RenameMode::replace && there) {
        if (there->type == FileType::directory && entry->type != FileType::directory) return EISDIR;
        if (there->type != FileType::directory && entry->type == FileType::directory) return ENOTDIR;
        if (!there->entries.empty()) return ENOTEMPTY;
        if (tree->hides_open_files && there->open > 0) tree->remove(target->node, to, there);
      }
      const NodePtr back = mode == RenameMode::exchange ? there : nullptr;
      tree->apply({{node, std::string(from), back}, {target->node, std::string(to), entry}});
      return 0;
    });
  }

  Result<void> remove_file(std::string_view name) override {
    return on("remove_file", name, [&](const NodePtr& entry) {
      if (!entry) return ENOENT;
      if (entry->type == FileType::directory) return EISDIR;
      tree->remove(node, name, entry);
      return 0;
    });
  }
  Result<void> remove_directory(std::string_view name) override {
    return on("remove_directory", name, [&](const NodePtr& entry) {
      if (!entry) return ENOENT;
      if (entry->type != FileType::directory) return ENOTDIR;
      if (entry->mount) return EBUSY;
      if (!entry->entries.empty()) return ENOTEMPTY;
      tree->apply({{node, std::string(name), nullptr}});
      return 0;
    });
  }

  Result<void> sync() override {
    return call("directory_sync", "", [&] {
      tree->sync_directory(*node);
      return 0;
    });
  }
  Result<void> sync_file_system() override {
    return call("sync_file_system", "", [&] {
      tree->sync_all();
      return 0;
    });
  }
  Result<store::Space> space() override {
    store::Space space;
    const Result<void> done = call("space", "", [&] {
      space = {tree->capacity > tree->used ? tree->capacity - tree->used : 0, tree->capacity};
      return 0;
    });
    if (!done) return std::unexpected(done.error());
    return space;
  }

 private:
  /// Calls `work` with the entry of that name, or null.
  template <class F>
  Result<void> on(std::string_view operation, std::string_view name, F work) {
    return call(operation, name, [&] {
      if (const int error = component_error(name); error != 0) return error;
      const auto entry = node->entries.find(name);
      return work(entry == node->entries.end() ? NodePtr() : entry->second);
    });
  }
};

}  // namespace

MemoryDisk::MemoryDisk() : tree_(std::make_shared<Tree>()) { tree_->root = tree_->make(FileType::directory); }
MemoryDisk::~MemoryDisk() = default;

Result<std::unique_ptr<Directory>> MemoryDisk::open(const std::string& path, bool create, bool /*private_mode*/) {
  std::unique_ptr<Directory> opened;
  const NodeHandle handle(tree_, tree_->root, path);
  const auto work = [&] {
    if (!path.starts_with('/')) return EINVAL;
    NodePtr found;
    int error = tree_->find(path, true, found);
    if (error == ENOENT && create) {
      for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        NodePtr parent;
        const std::size_t slash = part.rfind('/');
        error = tree_->find(part, true, found);
        if (error == ENOENT) error = tree_->find(part.substr(0, slash), true, parent);
        if (error != 0) return error;
        if (parent) {
          found = tree_->make(FileType::directory);
          tree_->apply({{parent, part.substr(slash + 1), found}});
        }
        if (end == path.npos) break;
      }
    }
    if (error != 0) return error;
    if (found->type != FileType::directory) return ENOTDIR;
    opened = std::make_unique<MemoryDirectory>(tree_, found, path);
    return 0;
  };
  if (const int error = handle.run("open", "", work); error != 0) return fail_errno(error, path);
  return opened;
}

}  // namespace peer::test
