#include "support/store/memory_tree.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libpeer/base/random.h"

namespace peer::test::memory {

using store::FileType;

namespace {

using Key = std::pair<const Node*, std::string>;

void settle(const Operation& operation) {
  for (const Assignment& change : operation) {
    if (change.node) {
      change.directory->durable_entries.insert_or_assign(change.name, change.node);
    } else {
      change.directory->durable_entries.erase(change.name);
    }
  }
}

}  // namespace

NodePtr Tree::make(FileType type) {
  auto node = std::make_shared<Node>();
  node->type = type;
  node->inode = ++last_inode;
  node->mtime = node->ctime = now();
  return node;
}

void Tree::apply(Operation operation) {
  for (const Assignment& change : operation) {
    Entries& entries = change.directory->entries;
    if (const auto old = entries.find(change.name); old != entries.end()) {
      old->second->linked = false;
      used -= old->second->data.size();
      entries.erase(old);
    }
    change.directory->mtime = change.directory->ctime = now();
  }
  for (const Assignment& change : operation) {
    if (!change.node) continue;
    change.directory->entries.insert_or_assign(change.name, change.node);
    change.node->linked = true;
    change.node->ctime = now();
    used += change.node->data.size();
    if (change.node->type == FileType::directory) parents_[change.node.get()] = change.directory;
  }
  pending.push_back(std::move(operation));
}

void Tree::remove(const NodePtr& directory, std::string_view name, const NodePtr& entry) {
  Operation operation{{directory, std::string(name), nullptr}};
  if (hides_open_files && entry->open > 0) {
    entry->hidden.directory = directory;
    entry->hidden.name = ".fuse_hidden" + std::to_string(entry->inode);
    operation.push_back({directory, entry->hidden.name, entry});
  }
  apply(std::move(operation));
}

void Tree::close(const NodePtr& file) {
  if (--file->open > 0 || file->hidden.name.empty()) return;
  const NodePtr directory = file->hidden.directory.lock();
  const std::string name = std::exchange(file->hidden.name, {});
  if (directory && directory->entries.contains(name)) apply({{directory, name, nullptr}});
}

void Tree::change(const NodePtr& file) {
  file->ctime = now();
  if (file->durable) return;
  file->durable = Metadata{file->data.size(), file->mtime, file->executable};
  dirty.insert(file);
}

int Tree::resize(const NodePtr& file, std::uint64_t size) {
  const std::uint64_t old = file->data.size();
  if (size > old && file->linked && used + (size - old) > capacity) return ENOSPC;
  change(file);
  file->mtime = now();
  if (size < old) {  // a power cut restores the removed bytes
    for (std::size_t page = size / kPage; page * kPage < old; ++page) {
      const std::size_t end = std::min<std::size_t>(old, (page + 1) * kPage);
      file->unsynced.try_emplace(page, file->data.begin() + static_cast<std::ptrdiff_t>(page * kPage),
                                 file->data.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  file->data.resize(size);
  if (file->linked) used = used + size - old;
  return 0;
}

int Tree::write(const NodePtr& file, std::span<const std::uint8_t> from, std::uint64_t offset) {
  if (from.empty()) return 0;
  const std::uint64_t end = offset + from.size();
  if (end > file->data.size()) {
    if (const int error = resize(file, end); error != 0) return error;
  }
  change(file);
  file->mtime = now();
  for (std::size_t page = offset / kPage; page * kPage < end; ++page) {
    const std::size_t last = std::min<std::size_t>(file->data.size(), (page + 1) * kPage);
    file->unsynced.try_emplace(page, file->data.begin() + static_cast<std::ptrdiff_t>(page * kPage),
                               file->data.begin() + static_cast<std::ptrdiff_t>(last));
  }
  std::ranges::copy(from, file->data.begin() + static_cast<std::ptrdiff_t>(offset));
  counters.bytes_written += from.size();
  return 0;
}

void Tree::sync_file(const NodePtr& file) {
  file->unsynced.clear();
  file->durable.reset();
  dirty.erase(file);
}

void Tree::sync_directory(const Node& directory) {
  // An operation is needed if it concerns this directory, or a name that a later needed operation concerns.
  std::set<Key> names;
  std::list<Operation> needed;
  for (auto at = pending.end(); at != pending.begin();) {
    const auto operation = std::prev(at);
    const bool concerned = std::ranges::any_of(*operation, [&](const Assignment& change) {
      return change.directory.get() == &directory || names.contains({change.directory.get(), change.name});
    });
    if (!concerned) {
      at = operation;
      continue;
    }
    for (const Assignment& change : *operation) names.insert({change.directory.get(), change.name});
    needed.splice(needed.begin(), pending, operation);
  }
  for (const Operation& operation : needed) settle(operation);
}

void Tree::sync_all() {
  for (const Operation& operation : std::exchange(pending, {})) settle(operation);
  while (!dirty.empty()) sync_file(*dirty.begin());
}

void Tree::power_cut(std::uint64_t seed) {
  const std::unique_ptr<Random> random = seeded_random(seed);
  // Sometimes everything or nothing survives; usually a part does.
  const std::uint64_t mood = random->below(8);
  const auto kept = [&] { return mood == 0 ? true : mood == 1 ? false : random->below(2) == 0; };
  ++epoch;
  std::set<Key> lost;
  for (const Operation& operation : std::exchange(pending, {})) {
    const bool orphan = std::ranges::any_of(
        operation, [&](const Assignment& change) { return lost.contains({change.directory.get(), change.name}); });
    if (!orphan && kept()) {
      settle(operation);
    } else {
      for (const Assignment& change : operation) lost.insert({change.directory.get(), change.name});
    }
  }
  std::vector<NodePtr> files(dirty.begin(), dirty.end());
  std::ranges::sort(files, {}, [](const NodePtr& file) { return file->inode; });
  for (const NodePtr& file : files) {
    if (!kept()) {
      file->mtime = file->durable->mtime;
      file->executable = file->durable->executable;
    }
    if (!kept()) file->data.resize(file->durable->size);
    for (const auto& [page, old] : file->unsynced) {
      if (kept()) continue;
      const std::size_t begin = page * kPage;
      for (std::size_t i = begin; i < std::min(file->data.size(), begin + kPage); ++i) {
        file->data[i] = i - begin < old.size() ? old[i - begin] : 0;
      }
    }
    sync_file(file);
  }
  used = 0;
  parents_.clear();
  recover(root);
}

void Tree::recover(const NodePtr& directory) {
  directory->entries = directory->durable_entries;
  for (const auto& [name, node] : directory->entries) {
    used += node->data.size();
    node->linked = true;
    if (node->type != FileType::directory) continue;
    parents_[node.get()] = directory;
    recover(node);
  }
}

int Tree::find(std::string_view path, bool follow, NodePtr& found) const { return walk(root, path, follow, 0, found); }

const NodePtr* Tree::parent(const Node& directory) const {
  const auto found = parents_.find(&directory);
  return found == parents_.end() ? nullptr : &found->second;
}

int Tree::follow_link(const NodePtr& directory, std::string_view target, int depth, NodePtr& found) const {
  if (depth > 40) return ELOOP;
  return walk(target.starts_with('/') ? root : directory, target, true, depth + 1, found);
}

bool Tree::others_may_write(const Node& directory) const {
  constexpr std::uint32_t kSticky = 01000;
  for (const Node* at = &directory; at != nullptr;) {
    if (at->owner != 0 && at->owner != kUser) return true;
    if ((at->mode & 022) != 0 && (at == &directory || (at->mode & kSticky) == 0)) return true;
    const NodePtr* above = parent(*at);
    at = above == nullptr ? nullptr : above->get();
  }
  return false;
}

int Tree::resolve(NodePtr from, std::string path, std::vector<store::LinkStep>& links, NodePtr& found) const {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string name = path.substr(0, end);
    path.erase(0, end + 1);
    NodePtr next;
    if (const int error = walk(from, name, false, 0, next); error != 0) return error;
    if (next->type != FileType::symlink) {
      from = std::move(next);
      continue;
    }
    if (links.size() == 40) return ELOOP;
    const bool own = next->owner == kUser;
    links.push_back({next->owner, own, own && others_may_write(*from)});
    path = next->target + "/" + path;
    if (path.starts_with('/')) from = root;
  }
  found = std::move(from);
  return 0;
}

int Tree::walk(NodePtr from, std::string_view path, bool follow, int depth, NodePtr& found) const {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (from->type != FileType::directory) return ENOTDIR;
    if (name == "..") {
      const auto parent = parents_.find(from.get());
      if (parent != parents_.end()) from = parent->second;
      continue;
    }
    const auto entry = from->entries.find(name);
    if (entry == from->entries.end()) return ENOENT;
    NodePtr next = entry->second;
    if (next->type == FileType::symlink && (follow || !path.empty())) {
      if (const int error = follow_link(from, entry->second->target, depth, next); error != 0) return error;
    }
    from = std::move(next);
  }
  found = std::move(from);
  return 0;
}

}  // namespace peer::test::memory
