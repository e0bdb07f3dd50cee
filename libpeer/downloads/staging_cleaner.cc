#include "libpeer/downloads/staging_cleaner.h"

#include <utility>

#include "libpeer/staging/trash.h"

namespace peer::downloads {

runtime::Task<Result<bool>> StagingCleaner::discard(std::string game, runtime::CancellationToken token) {
  auto discard = [disk = context_.disk, root = context_.root, game](const runtime::StopFlag&) {
    return staging::discard_staging(*disk, root, game);
  };
  Result<bool> discarded = co_await runtime::offload(*context_.workers, std::move(discard), token);
  if (discarded && *discarded) empty_trash();
  co_return discarded;
}

void StagingCleaner::empty_trash() {
  if (!scope_.token().requested()) scope_.spawn("empty the trash", run(scope_.token()));
}

runtime::Task<void> StagingCleaner::run(runtime::CancellationToken token) {
  auto empty = [disk = context_.disk, root = context_.root](const runtime::StopFlag& stop) {
    return staging::empty_trash(*disk, root, stop);
  };
  const Result<void> emptied = co_await runtime::offload(*context_.workers, std::move(empty), token);
  if (!emptied && emptied.error().code != ErrorCode::cancelled) {
    log_.warn("cannot empty the trash: " + emptied.error().message);
  }
}

}  // namespace peer::downloads
