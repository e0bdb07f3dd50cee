// The commands that steer downloads and delete games.
#include <utility>

#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/trash.h"

namespace peer::node {

runtime::Task<Result<api::DownloadInfo>> PeerMain::plan_download(api::StartDownload command,
                                                                 runtime::CancellationToken token) {
  return downloads_->plan(std::move(command), std::move(token));
}
runtime::Task<Result<api::DownloadInfo>> PeerMain::start_download(api::StartDownload command,
                                                                  runtime::CancellationToken token) {
  co_await downloads_->let_end(command.game, token);
  Result<api::DownloadInfo> download = downloads_->start(command);
  if (download) co_await downloads_->put_on_record(command.game, token);
  co_return download;
}
runtime::Task<Result<api::DownloadInfo>> PeerMain::pause_download(api::PauseDownload command,
                                                                  runtime::CancellationToken token) {
  return downloads_->pause(std::move(command.game), std::move(token));
}
runtime::Task<Result<api::DownloadInfo>> PeerMain::resume_download(api::ResumeDownload command,
                                                                   runtime::CancellationToken token) {
  return downloads_->resume(std::move(command.game), std::move(token));
}
runtime::Task<Result<bool>> PeerMain::cancel_download(api::CancelDownload command, runtime::CancellationToken token) {
  return downloads_->cancel(std::move(command.game), std::move(token));
}
runtime::Task<Result<api::DownloadInfo>> PeerMain::move_download(api::MoveDownload command,
                                                                 runtime::CancellationToken token) {
  return downloads_->move(std::move(command.game), command.position, std::move(token));
}

runtime::Task<void> PeerMain::apply_limits(api::Limits limits) {
  limits_ = limits;
  auto set = [this, limits](runtime::CancellationToken) {
    net_side_->up().set(limits.up);
    net_side_->down().set(limits.down);
    return []() -> runtime::Task<void> { co_return; }();
  };
  co_await runtime::call_on(*environment_.net, "limits", std::move(set), runtime::CancellationToken());
}

runtime::Task<Result<api::Limits>> PeerMain::set_limits(api::SetLimits command, runtime::CancellationToken) {
  api::Limits limits = limits_;
  limits.up = command.up.value_or(limits.up);
  limits.down = command.down.value_or(limits.down);
  co_await apply_limits(limits);
  co_return limits;
}

runtime::Task<Result<bool>> PeerMain::reconfigure(api::Reconfigure command, runtime::CancellationToken token) {
  downloads_->reconfigure(command.parallel, command.reserve, std::move(command.automatic));
  for (const std::string& address : command.peers) peers_->add_configured(address);
  const api::SetLimits limits{command.up, command.down};
  co_await set_limits(limits, token);
  co_return true;
}

runtime::Task<Result<bool>> PeerMain::remove_game(api::RemoveGame command, runtime::CancellationToken token) {
  const std::string game = std::move(command.game);
  const std::string root = options_.settings.roots.front();
  if (const auto problem = protocol::game_id_problem(game)) {
    co_return fail(ErrorCode::invalid, protocol::printable(game) + " is no game: " + *problem);
  }
  const auto snapshot = library_->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  if (local != nullptr && local->root != root) {
    co_return fail(ErrorCode::refused, game + " lies in " + local->root + ", where peerd deletes nothing: only " +
                                           root + ", which receives the downloads, is its own");
  }
  auto discard = [disk = environment_.disk, root, game](const runtime::StopFlag&) {
    return staging::discard_game(*disk, root, game);
  };
  // The game first: where it cannot be removed nothing is.
  const Result<void> discarded = co_await runtime::offload(*environment_.workers, discard, token);
  bool none = !discarded && discarded.error().code == ErrorCode::not_found;
  if (!discarded && !none) co_return std::unexpected(discarded.error());
  bool partial = false;
  if (downloads_->downloading(game)) {
    const Result<bool> cancelled = co_await downloads_->cancel(game, token);
    partial = cancelled.has_value();
    // It may have put the game in place meanwhile.
    const Result<void> again = co_await runtime::offload(*environment_.workers, discard, token);
    if (!again && again.error().code != ErrorCode::not_found) co_return std::unexpected(again.error());
    if (again) none = false;
  } else {
    const Result<bool> staging = co_await downloads_->discard(game, token);
    if (!staging) co_return std::unexpected(staging.error());
    partial = *staging;
    if (none && partial) downloads_->removed(game);  // what a failed download left: nothing is told of it any more
  }
  if (none && partial) co_return true;
  if (none) co_return std::unexpected(discarded.error());
  downloads_->removed(game);
  damaged_.erase(game);
  log_.game(game).info(game + " is removed");
  auto forget = [store = environment_.store, root, game](const runtime::StopFlag&) {
    return store->forget_game(root, game);
  };
  const Result<void> forgotten = co_await runtime::offload(*environment_.store_thread, std::move(forget), token);
  if (!forgotten) log_.warn("the hash cache: " + forgotten.error().message);
  // That it is not there any more is what is to be found out; where another root has it too, that one shows now.
  const Result<void> looked = co_await library_->rescan(game, token);
  static_cast<void>(looked);
  co_return true;
}

}  // namespace peer::node
