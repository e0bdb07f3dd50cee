// StagingCleaner: deletes the staging of downloads. Data moves to the trash by one rename, and the trash is emptied in
// the background. If peerd stops first, the next start empties the trash.
//
// Loop: control; the deletion runs on workers.
// Owns: nothing; every argument must outlive it.
#pragma once

#include <string>

#include "libpeer/base/log.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/transfer/download_context.h"

namespace peer::downloads {

class StagingCleaner {
 public:
  StagingCleaner(runtime::Scope& scope, const transfer::DownloadContext& context, const Log& log)
      : scope_(scope), context_(context), log_(log) {}

  /// Deletes a game's staging. Returns false if there is none.
  runtime::Task<Result<bool>> discard(std::string game, runtime::CancellationToken token);
  /// Starts emptying the trash, unless the scope is being stopped.
  void empty_trash();

 private:
  runtime::Task<void> run(runtime::CancellationToken token);

  runtime::Scope& scope_;
  const transfer::DownloadContext& context_;
  const Log& log_;
};

}  // namespace peer::downloads
