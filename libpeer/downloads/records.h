// DownloadRecords: the store's rows for the downloads under way, so that none is lost in a restart or a crash.
//
// Loop: control; the store runs on its own thread.
// Owns: nothing; every argument must outlive it.
// Fails: a failed write to the store is logged, and the downloads continue.
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

  /// Writes a download's row, unless the download is ending.
  runtime::Task<void> save(std::shared_ptr<DownloadEntry> entry, runtime::CancellationToken token);
  /// Whether the figures have changed and the last save was at least a second ago.
  bool save_due(const DownloadEntry& entry) const;
  /// Deletes a game's row. Returns false if that failed. Cancel: not cancellable.
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
