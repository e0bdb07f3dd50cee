#include "libpeer/transfer/checkpointer.h"

#include <utility>

#include "libpeer/runtime/offload_abandonable.h"

namespace peer::transfer {

namespace {
constexpr std::uint64_t kCheckpointBytes = 24 << 20;
constexpr runtime::Duration kCheckpointInterval = std::chrono::seconds(1);
}  // namespace

Checkpointer::Checkpointer(runtime::Executor& executor, runtime::Workers& workers,
                           std::shared_ptr<staging::Staging> staging, runtime::Channel<SourceReport>::Sender reports,
                           runtime::CancellationToken discard)
    : executor_(executor),
      workers_(workers),
      staging_(std::move(staging)),
      reports_(std::move(reports)),
      discard_(std::move(discard)),
      last_(executor.now()) {}

void Checkpointer::start_if_due(runtime::Scope& scope) {
  if (running_) return;
  const std::uint64_t unlogged = staging_->unlogged_bytes();
  const bool due = executor_.now() - last_ >= kCheckpointInterval;
  if (unlogged < kCheckpointBytes && (unlogged == 0 || !due)) return;
  running_ = true;
  scope.spawn("checkpoint", run(scope.token()));
}

runtime::Task<void> Checkpointer::run(runtime::CancellationToken token) {
  token.throw_if_requested();
  auto checkpoint = [staging = staging_](const runtime::StopFlag&) { return staging->checkpoint(); };
  const Result<void> done = co_await runtime::offload_abandonable(workers_, std::move(checkpoint), discard_);
  running_ = false;
  last_ = executor_.now();
  if (!done) {
    reports_.send_urgent(StagingFailed{done.error()});
  } else {
    reports_.send_urgent(Wakeup{});
  }
}

}  // namespace peer::transfer
