// Lru: the most recently used of a few shared values, found by linear search.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace peer {

template <class Key, class T>
class Lru {
 public:
  explicit Lru(std::size_t limit) : limit_(limit) {}

  /// Marks the value as used last. Null if there is none for `key`.
  template <class K>
  std::shared_ptr<T> find(const K& key) {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == key; });
    if (found == entries_.end()) return nullptr;
    std::rotate(entries_.begin(), found, found + 1);
    return entries_.front().second;
  }
  void put(Key key, std::shared_ptr<T> value) {
    if (find(key)) {
      entries_.front().second = std::move(value);
      return;
    }
    if (entries_.size() == limit_) entries_.pop_back();
    entries_.emplace(entries_.begin(), std::move(key), std::move(value));
  }
  template <class K>
  void erase(const K& key) {
    std::erase_if(entries_, [&](const auto& e) { return e.first == key; });
  }

  void clear() noexcept { entries_.clear(); }

 private:
  std::size_t limit_;
  std::vector<std::pair<Key, std::shared_ptr<T>>> entries_;
};

}  // namespace peer
