// HashCache: the store's table of chunk hashes, called from the library's loop.
//
// Each call runs on the store's thread. A failure is logged and otherwise ignored: it only costs reading files again.
// Loop: the library's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/library/scan.h"
#include "libpeer/library/snapshot.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/store.h"

namespace peer::library {

class HashCache {
 public:
  /// All arguments must outlive it.
  HashCache(store::Store& store, runtime::Workers& store_thread, const Log& log)
      : store_(store), thread_(store_thread), log_(log) {}

  using Rows = std::vector<store::CachedFile>;

  runtime::Task<Result<Rows>> load(std::string root, std::string game, runtime::CancellationToken token);
  runtime::Task<Result<void>> save(std::string root, std::string game, std::shared_ptr<const Rows> rows,
                                   runtime::CancellationToken token);
  /// Replaces all rows of the game by those of an offered version. Cancel: not cancellable.
  runtime::Task<Result<void>> replace(std::string root, std::string game, std::shared_ptr<const OfferedGame> offered);
  /// Drops all rows of the game. Cancel: not cancellable.
  runtime::Task<Result<void>> forget(std::string root, std::string game);
  /// Drops the rows of files that the scan did not find.
  runtime::Task<Result<void>> prune(std::string root, std::string game, std::shared_ptr<const ScannedGame> scan,
                                    runtime::CancellationToken token);

  /// Logs a failure of one of these calls.
  template <class T>
  void warn(const Result<T>& result) const {
    if (!result) log_.warn("hash cache failed, files may be hashed again: " + result.error().message);
  }

 private:
  store::Store& store_;
  runtime::Workers& thread_;
  const Log& log_;
};

}  // namespace peer::library
