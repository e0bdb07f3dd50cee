// DownloadRecords: the store's rows of downloads under way, so that a restart or a crash loses none.
//
// Loop: control; the store runs on its own thread.
// Owns: nothing; everything given must outlive it.
// Fails: a store that cannot be written is logged, and the downloads continue.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/downloads/entry.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/store.h"

namespace peer::downloads {

class DownloadRecords {
 public:
  DownloadRecords(runtime::Executor& executor, store::Store& store, runtime::Workers& store_thread, const Log& log)
      : executor_(executor), store_(store), store_thread_(store_thread), log_(log) {}

  /// Writes a download's row, unless its end is decided.
  runtime::Task<void> save(std::shared_ptr<DownloadEntry> entry, runtime::CancellationToken token);
  /// Whether the figures have changed and were last saved a second ago or more.
  bool save_due(const DownloadEntry& entry) const;
  /// Deletes a game's row. Not cancellable. False if that failed.
  runtime::Task<bool> remove(std::string game, bool log_failure);
  /// The downloads of the last run, as entries that `scope` cancels. Cancel: throws Cancelled.
  runtime::Task<std::vector<std::shared_ptr<DownloadEntry>>> load(runtime::Scope& scope,
                                                                  runtime::CancellationToken token);

 private:
  runtime::Executor& executor_;
  store::Store& store_;
  runtime::Workers& store_thread_;
  const Log& log_;
};

}  // namespace peer::downloads
