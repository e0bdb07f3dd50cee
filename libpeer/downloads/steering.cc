// The commands that steer downloads: pause, resume, move, cancel, repair, discard.
#include <utility>

#include "libpeer/downloads/downloads.h"
#include "libpeer/protocol/path.h"

namespace peer::downloads {

runtime::Task<void> Downloads::wait_until_over(const EntryPtr& entry, runtime::CancellationToken token) {
  const auto over = [&entry] { return entry->status.over; };
  co_await entry->changed.wait_until(over, token);
}

runtime::Task<void> Downloads::wait_while_ending(std::string game, runtime::CancellationToken token) {
  const EntryPtr entry = table_.find(game);
  if (!entry) co_return;
  const auto settled = [&entry] { return !entry->status.ending || entry->status.over; };
  co_await entry->changed.wait_until(settled, token);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::pause(std::string game, runtime::CancellationToken token) {
  const auto found = table_.under_way(game);
  if (!found) co_return std::unexpected(found.error());
  const EntryPtr& entry = *found;
  entry->paused = true;
  entry->wait.hold(scope_.executor().now());
  // A download that is being published is complete: it ends instead of pausing.
  const bool publishing = entry->download && entry->download->progress().phase == transfer::Phase::publishing;
  if (entry->attempt != nullptr && !publishing) entry->attempt->request();
  const auto settled = [&entry] { return !entry->paused || entry->attempt == nullptr || entry->status.over; };
  co_await entry->changed.wait_until(settled, token);
  co_await records_.save(entry, token);
  co_return info(*entry);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::resume(std::string game, runtime::CancellationToken token) {
  co_await wait_while_ending(game, token);
  if (!table_.contains(game)) {
    const Result<EntryPtr> revived = table_.revive(game, scope_.token());
    if (!revived) co_return std::unexpected(revived.error());
    if ((*revived)->request.repair) {  // only verify can tell whether the game is still damaged
      co_return fail(ErrorCode::not_found, "the repair of \"" + protocol::printable(game) +
                                                  "\" has ended: 'peerctl verify --repair' starts it again");
    }
    table_.remove_past(game);
    automatic_.undismiss(game);
    enter(*revived);
    co_await records_.save(*revived, token);
    co_return info(**revived);
  }
  const auto found = table_.under_way(game);
  if (!found) co_return std::unexpected(found.error());
  const EntryPtr& entry = *found;
  entry->trouble.retry_now = entry->trouble.error.has_value();
  if (!entry->paused) {
    entry->changed.set();
    co_return info(*entry);
  }
  entry->paused = false;
  if (entry->status.state == api::DownloadState::paused) entry->status.state = api::DownloadState::queued;
  entry->wait.go_on(scope_.executor().now());
  entry->update_patience();
  entry->changed.set();
  co_await records_.save(entry, token);
  co_return info(*entry);
}

runtime::Task<Result<api::DownloadInfo>> Downloads::move(std::string game, std::uint64_t position,
                                                         runtime::CancellationToken token) {
  const auto found = table_.under_way(game);
  if (!found) co_return std::unexpected(found.error());
  if (position == 0) co_return fail(ErrorCode::invalid, "position 0 does not exist: positions count from 1");
  const std::vector<EntryPtr> moved = table_.move(*found, position);
  turns_.changed();
  for (const EntryPtr& each : moved) co_await records_.save(each, token);
  co_return info(**found);
}

runtime::Task<Result<bool>> Downloads::cancel(std::string game, runtime::CancellationToken token) {
  co_await wait_while_ending(game, token);
  if (!table_.contains(game)) {
    // Enters a new download and cancels it at once, so that the staging has one owner while it is deleted.
    const Result<EntryPtr> revived = table_.revive(game, scope_.token());
    if (!revived) co_return std::unexpected(revived.error());
    if (!(*revived)->request.version_known) {
      co_return fail(ErrorCode::not_found, "the download of \"" + protocol::printable(game) +
                                                  "\" has ended and received nothing, so there is nothing to cancel");
    }
    enter(*revived);
  }
  const auto found = table_.under_way(game);
  if (!found) co_return std::unexpected(found.error());
  const EntryPtr& entry = *found;
  if (!entry->status.ending) entry->cancelled = true;
  automatic_.dismiss(game);
  if (entry->cancelled && entry->download) entry->download->discard();
  entry->stop.request();
  co_await wait_until_over(entry, token);
  co_return true;
}

runtime::Task<Result<bool>> Downloads::repair(std::string game, Digest version, runtime::CancellationToken token) {
  if (table_.contains(game))
    co_return fail(ErrorCode::busy, game + " is being downloaded: wait until that ends, or cancel it first");
  auto entry = std::make_shared<DownloadEntry>(scope_.token());
  DownloadRequest& request = entry->request;
  request.game = game;
  request.version = version;
  request.version_known = true;
  request.pinned = true;
  request.repair = true;
  if (!chooser_.offered(game, version, {})) {
    co_return fail(ErrorCode::unavailable, "no connected peer has version " + version.brief() + " of " + game +
                                                  ", so it cannot be repaired now");
  }
  table_.remove_past(game);
  enter(entry);
  co_await wait_until_over(entry, token);
  if (entry->status.state == api::DownloadState::finished) co_return true;
  if (entry->status.error) co_return std::unexpected(*entry->status.error);
  co_return fail(ErrorCode::cancelled, "the repair of " + game + " was cancelled");
}

runtime::Task<Result<bool>> Downloads::discard(std::string game, runtime::CancellationToken token) {
  if (table_.contains(game)) co_return fail(ErrorCode::busy, game + " is being downloaded: cancel that first");
  co_return co_await cleaner_.discard(std::move(game), token);
}

}  // namespace peer::downloads
