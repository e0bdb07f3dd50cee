// Catalogue: what the library shows, turned into immutable snapshots.
//
// Changes are gathered for a moment (kGather; progress for kProgress), so that a start with a thousand games makes tens
// of snapshots and not thousands. Loop: the library's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libpeer/library/library.h"
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

  /// Shows the game, in place of what was shown under its id. `within`: the snapshot may wait so long.
  void put(std::shared_ptr<const LocalGame> game, runtime::Duration within = kGather);
  void remove(const std::string& id);
  void set_missing_roots(std::vector<Problem> roots);
  /// All that was there at the start is shown.
  void set_complete();
  /// The gathered changes become a snapshot now, if there are any.
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
