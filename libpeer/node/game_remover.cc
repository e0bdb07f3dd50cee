#include "libpeer/node/game_remover.h"

#include <utility>

#include "libpeer/protocol/path.h"
#include "libpeer/staging/trash.h"

namespace peer::node {

Result<void> GameRemover::check(const std::string& game) const {
  if (const auto problem = protocol::game_id_problem(game)) {
    return fail(ErrorCode::invalid, "\"" + protocol::printable(game) + "\" is not a game id: " + *problem);
  }
  const std::string& root = options_.settings.roots.front();
  const auto snapshot = library_.snapshot();
  const library::LocalGame* local = snapshot->find(game);
  if (local == nullptr || local->root == root) return {};
  return fail(ErrorCode::refused, game + " is in " + local->root + ": peerd deletes games only in " + root +
                                      ", which receives the downloads");
}

/// False: the first root has no such game.
runtime::Task<Result<bool>> GameRemover::discard_game(std::string game, runtime::CancellationToken token) {
  auto discard = [disk = options_.environment.disk, root = options_.settings.roots.front(),
                  game](const runtime::StopFlag&) { return staging::discard_game(*disk, root, game); };
  const Result<void> done = co_await runtime::offload(*options_.environment.workers, std::move(discard), token);
  if (done) co_return true;
  if (done.error().code == ErrorCode::not_found) co_return false;
  co_return std::unexpected(done.error());
}

/// The game comes first: if it cannot be deleted, the download stays as well.
runtime::Task<Result<GameRemover::Removed>> GameRemover::discard_all(std::string game,
                                                                     runtime::CancellationToken token) {
  Removed removed;
  const Result<bool> discarded = co_await discard_game(game, token);
  if (!discarded) co_return std::unexpected(discarded.error());
  removed.game = *discarded;
  if (downloads_.downloading(game)) {
    const Result<bool> cancelled = co_await downloads_.cancel(game, token);
    removed.partial = cancelled.has_value();
    // The download may have put the game in place before it was cancelled.
    const Result<bool> again = co_await discard_game(game, token);
    if (!again) co_return std::unexpected(again.error());
    removed.game = removed.game || *again;
  } else {
    const Result<bool> staging = co_await downloads_.discard(game, token);
    if (!staging) co_return std::unexpected(staging.error());
    removed.partial = *staging;
    if (!removed.game && removed.partial) downloads_.removed(game);  // drops the failed download from the list
  }
  co_return removed;
}

/// Deletes the hashes of the game from the cache. A failure costs only space in the database.
runtime::Task<void> GameRemover::forget_hashes(std::string game, runtime::CancellationToken token) {
  auto forget = [store = options_.environment.store, root = options_.settings.roots.front(),
                 game](const runtime::StopFlag&) { return store->forget_game(root, game); };
  const Result<void> forgotten =
      co_await runtime::offload(*options_.environment.store_thread, std::move(forget), std::move(token));
  if (!forgotten) log_.warn("cannot remove " + game + " from the hash cache: " + forgotten.error().message);
}

runtime::Task<Result<bool>> GameRemover::remove(std::string game, runtime::CancellationToken token) {
  if (Result<void> removable = check(game); !removable) co_return std::unexpected(removable.error());
  const Result<Removed> removed = co_await discard_all(game, token);
  if (!removed) co_return std::unexpected(removed.error());
  if (!removed->game && removed->partial) co_return true;
  if (!removed->game) {
    co_return fail(ErrorCode::not_found, "no game \"" + protocol::printable(game) + "\" is installed in " +
                                             options_.settings.roots.front() + ", and no download of it is left");
  }
  downloads_.removed(game);
  verifier_.forget(game);
  log_.game(game).info(game + " removed");
  co_await forget_hashes(game, token);
  // Updates the library, which may now show a game with the same id in another root. "no such game" is the expected
  // result.
  static_cast<void>(co_await library_.rescan(game, token));
  co_return true;
}

}  // namespace peer::node
