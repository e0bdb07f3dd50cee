// Checkpointer: makes a download's received data durable, every 24 MiB or second. One checkpoint runs at a time.
//
// Loop: control; the syncs run on workers.
// Cancel: a sync that has begun is awaited, except for a discarded download.
#pragma once

#include <memory>

#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/staging.h"
#include "libpeer/transfer/fetch.h"

namespace peer::transfer {

class Checkpointer {
 public:
  /// Reports a Wakeup or a StagingFailed after each checkpoint. `discard` is requested when the data is no longer
  /// needed.
  Checkpointer(runtime::Executor& executor, runtime::Workers& workers, std::shared_ptr<staging::Staging> staging,
               runtime::Channel<SourceReport>::Sender reports, runtime::CancellationToken discard);

  /// Starts a checkpoint in `scope` if one is due.
  void start_if_due(runtime::Scope& scope);
  bool running() const noexcept { return running_; }

 private:
  runtime::Task<void> run(runtime::CancellationToken token);

  runtime::Executor& executor_;
  runtime::Workers& workers_;
  std::shared_ptr<staging::Staging> staging_;
  runtime::Channel<SourceReport>::Sender reports_;
  runtime::CancellationToken discard_;
  bool running_ = false;
  runtime::TimePoint last_;
};

}  // namespace peer::transfer
