// The commands that steer downloads and delete games.
#include <utility>

#include "libpeer/node/runtime_state.h"
#include "libpeer/protocol/path.h"
#include "libpeer/staging/trash.h"

namespace peer::node {

rt::Task<Result<DownloadInfo>> PeerMain::plan_download(StartDownload command, rt::CancellationToken token) {
  return downloads_->plan(std::move(command), std::move(token));
}
rt::Task<Result<DownloadInfo>> PeerMain::start_download(StartDownload command, rt::CancellationToken token) {
  co_await downloads_->let_end(command.game, token);
  Result<DownloadInfo> download = downloads_->start(command);
  if (download) co_await downloads_->put_on_record(command.game, token);
  co_return download;
}
rt::Task<Result<DownloadInfo>> PeerMain::pause_download(PauseDownload command, rt::CancellationToken token) {
  return downloads_->pause(std::move(command.game), std::move(token));
}
rt::Task<Result<DownloadInfo>> PeerMain::resume_download(ResumeDownload command, rt::CancellationToken token) {
  return downloads_->resume(std::move(command.game), std::move(token));
}
rt::Task<Result<bool>> PeerMain::cancel_download(CancelDownload command, rt::CancellationToken token) {
  return downloads_->cancel(std::move(command.game), std::move(token));
}
rt::Task<Result<DownloadInfo>> PeerMain::move_download(MoveDownload command, rt::CancellationToken token) {
  return downloads_->move(std::move(command.game), command.position, std::move(token));
}

rt::Task<void> PeerMain::apply_limits(Limits limits) {
  limits_ = limits;
  auto set = [this, limits](rt::CancellationToken) {
    net_side_->up().set(limits.up);
    net_side_->down().set(limits.down);
    return []() -> rt::Task<void> { co_return; }();
  };
  co_await rt::call_on(*environment_.net, "limits", std::move(set), rt::CancellationToken());
}

rt::Task<Result<Limits>> PeerMain::set_limits(SetLimits command, rt::CancellationToken) {
  Limits limits = limits_;
  limits.up = command.up.value_or(limits.up);
  limits.down = command.down.value_or(limits.down);
  co_await apply_limits(limits);
  co_return limits;
}

rt::Task<Result<bool>> PeerMain::reconfigure(Reconfigure command, rt::CancellationToken token) {
  downloads_->reconfigure(command.parallel, command.reserve, std::move(command.automatic));
  for (const std::string& address : command.peers) peers_->add_configured(address);
  const SetLimits limits{command.up, command.down};
  co_await set_limits(limits, token);
  co_return true;
}

rt::Task<Result<bool>> PeerMain::remove_game(RemoveGame command, rt::CancellationToken token) {
  const std::string game = std::move(command.game);
  const std::string root = options_.roots.front();
  if (const auto problem = protocol::game_id_problem(game)) {
    co_return fail(ErrorCode::invalid, protocol::printable(game) + " is no game: " + *problem);
  }
  const auto snapshot = library_->snapshot();
  const library::LocalGame* local = snapshot->find(game);
  if (local != nullptr && local->root != root) {
    co_return fail(ErrorCode::refused, game + " lies in " + local->root + ", where peerd deletes nothing: only " +
                                           root + ", which receives the downloads, is its own");
  }
  auto discard = [disk = environment_.disk, root, game](const rt::StopFlag&) {
    return transfer::discard_game(*disk, root, game);
  };
  // The game first: where it cannot be removed nothing is.
  const Result<void> discarded = co_await rt::offload(*environment_.workers, discard, token);
  const bool none = !discarded && discarded.error().code == ErrorCode::no_such_game;
  if (!discarded && !none) co_return std::unexpected(discarded.error());
  bool partial = false;
  if (downloads_->downloading(game)) {
    const Result<bool> cancelled = co_await downloads_->cancel(game, token);
    partial = cancelled.has_value();
    // It may have put the game in place meanwhile.
    const Result<void> again = co_await rt::offload(*environment_.workers, discard, token);
    if (!again && again.error().code != ErrorCode::no_such_game) co_return std::unexpected(again.error());
  } else {
    const Result<bool> staging = co_await downloads_->discard(game, token);
    if (!staging) co_return std::unexpected(staging.error());
    partial = *staging;
  }
  if (none && partial) co_return true;
  if (none) co_return std::unexpected(discarded.error());
  downloads_->removed(game);
  damaged_.erase(game);
  log_.game(game).info(game + " is removed");
  auto forget = [store = environment_.store, root, game](const rt::StopFlag&) {
    return store->forget_game(root, game);
  };
  const Result<void> forgotten = co_await rt::offload(*environment_.store_thread, std::move(forget), token);
  if (!forgotten) log_.warn("the hash cache: " + forgotten.error().message);
  // That it is not there any more is what is to be found out; where another root has it too, that one shows now.
  const Result<void> looked = co_await library_->rescan(game, token);
  static_cast<void>(looked);
  co_return true;
}

}  // namespace peer::node
