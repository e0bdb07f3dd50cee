// WatchTable: which directories the kernel watches, and for which subjects.
//
// A directory has one watch, even if several subjects contain it (a game may be a symlink to another). Workers add
// watches while the loop reads events. No lock is held during a system call that resolves a path. Loop: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libpeer/library/watcher.h"

namespace peer::library {

class WatchTable {
 public:
  /// Adds a watch for a path, or finds the existing one. Returns its number, or -errno.
  using Add = std::function<int(const std::string& path)>;
  using Remove = std::function<void(int watch)>;
  WatchTable(Add add, Remove remove) : add_(std::move(add)), remove_(std::move(remove)) {}

  /// The watches of one subject.
  struct SubjectWatches {
    explicit SubjectWatches(WatchSubject s) : subject(std::move(s)) {}
    const WatchSubject subject;
    std::uint64_t walk = 0;                            ///< number of the latest walk
    std::unordered_map<int, std::uint64_t> watches{};  ///< each watch, with the last walk that entered it
    bool forgotten = false;
  };

  std::shared_ptr<SubjectWatches> begin_walk(const WatchSubject& subject);
  /// Returns 0, or an errno.
  int enter(SubjectWatches& owner, const std::string& path);
  void complete(SubjectWatches& owner);
  void forget(const WatchSubject& subject);

  std::vector<WatchSubject> subjects_of(int watch) const;
  std::vector<WatchSubject> all_subjects() const;
  /// The kernel has removed this watch.
  void on_watch_removed(int watch);
  /// Number of watches.
  std::size_t size() const;

 private:
  void release(SubjectWatches& owner, int watch);

  const Add add_;
  const Remove remove_;
  mutable std::mutex mutex_;
  std::map<WatchSubject, std::shared_ptr<SubjectWatches>> subjects_;
  std::unordered_map<int, std::vector<SubjectWatches*>> owners_;
  unsigned adding_ = 0;                        ///< calls of add_ that are running
  std::unordered_set<int> removed_meanwhile_;  ///< watches that were removed while add_ was running
};

}  // namespace peer::library
