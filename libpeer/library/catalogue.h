// Catalogue: the current state of every game, published as immutable snapshots.
//
// Changes are collected for kGather (progress for kProgress), so that starting with a thousand games publishes tens of
// snapshots instead of thousands. Loop: the library's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/library/snapshot.h"
#include "libpeer/runtime/executor.h"

namespace peer::library {

class Catalogue {
 public:
  static constexpr runtime::Duration kGather = std::chrono::milliseconds(10);
  static constexpr runtime::Duration kProgress = std::chrono::milliseconds(250);

  explicit Catalogue(runtime::Executor& executor);
  Catalogue(const Catalogue&) = delete;
  Catalogue& operator=(const Catalogue&) = delete;
  ~Catalogue();

  /// Adds the game, or replaces the game with the same id. `within`: the longest delay until a snapshot shows it.
  void put(std::shared_ptr<const LocalGame> game, runtime::Duration within = kGather);
  void remove(const std::string& id);
  void set_missing_roots(std::vector<Problem> roots);
  /// Marks all later snapshots as complete: the first listing of the roots has ended.
  void set_complete();
  /// Publishes the collected changes now, if there are any.
  void publish();

  const std::shared_ptr<const Snapshot>& snapshot() const noexcept { return snapshot_; }
  void on_change(std::function<void(bool offered)> callback) { callback_ = std::move(callback); }

 private:
  void schedule(runtime::Duration within);

  runtime::Executor& executor_;
  std::map<std::string, std::shared_ptr<const LocalGame>, std::less<>> games_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<Problem> missing_roots_;
  bool changed_ = false;
  bool complete_ = false;
  bool offer_changed_ = false;
  std::optional<runtime::Executor::Timer> timer_;
  std::function<void(bool)> callback_;
};

}  // namespace peer::library
