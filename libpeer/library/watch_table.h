// WatchTable: which directories the kernel watches, and for whom.
//
// A directory is watched once though several subjects may hold it (a game that is a symlink to another). Watches are
// added on workers while the loop reads events; no lock is held during a system call that may look up a path.
// Loop: any thread.
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
  /// Adds a watch for a path, or finds the one there is; returns its number or -errno.
  using Add = std::function<int(const std::string& path)>;
  using Remove = std::function<void(int watch)>;
  WatchTable(Add add, Remove remove) : add_(std::move(add)), remove_(std::move(remove)) {}

  struct Holder {
    explicit Holder(Subject s) : subject(std::move(s)) {}
    const Subject subject;
    std::uint64_t walk = 0;                            ///< the latest
    std::unordered_map<int, std::uint64_t> watches{};  ///< with the walk that entered it last
    bool forgotten = false;
  };

  std::shared_ptr<Holder> begin(const Subject& subject);
  /// Returns 0 or the errno.
  int enter(Holder& holder, const std::string& path);
  void complete(Holder& holder);
  void forget(const Subject& subject);

  std::vector<Subject> holders_of(int watch) const;
  std::vector<Subject> all() const;
  /// The kernel has let go of it.
  void ended(int watch);
  std::size_t size() const;

 private:
  void release(Holder& holder, int watch);

  const Add add_;
  const Remove remove_;
  mutable std::mutex mutex_;
  std::map<Subject, std::shared_ptr<Holder>> holders_;
  std::unordered_map<int, std::vector<Holder*>> owners_;
  unsigned adding_ = 0;                // system calls under way,
  std::unordered_set<int> ended_now_;  // and the watches that ended meanwhile
};

}  // namespace peer::library
