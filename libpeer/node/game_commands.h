// GameCommands: the handlers of the commands about games and the library. Loop: control.
#pragma once

#include <utility>

#include "libpeer/api/commands.h"
#include "libpeer/library/library.h"
#include "libpeer/node/game_overview.h"
#include "libpeer/node/game_remover.h"
#include "libpeer/node/game_verifier.h"

namespace peer::node {

class GameCommands {
 public:
  /// Everything must outlive it.
  GameCommands(library::Library& library, const GameOverview& games, GameVerifier& verifier, GameRemover remover,
               Log log)
      : library_(library), games_(games), verifier_(verifier), remover_(std::move(remover)), log_(std::move(log)) {}

  Result<api::GameList> handle(const api::ListGames&) {
    return api::GameList{games_.list(), library_.snapshot()->missing_roots};
  }
  runtime::Task<Result<api::GameDetails>> handle(api::ShowGame command, runtime::CancellationToken token) {
    return games_.details(std::move(command), std::move(token));
  }
  runtime::Task<Result<bool>> handle(api::RemoveGame command, runtime::CancellationToken token) {
    return remover_.remove(std::move(command.game), std::move(token));
  }
  runtime::Task<Result<api::Verdict>> handle(api::VerifyGame command, runtime::CancellationToken token) {
    return verifier_.verify(std::move(command), std::move(token));
  }
  runtime::Task<Result<std::vector<library::Problem>>> handle(api::Rescan command, runtime::CancellationToken token);

 private:
  library::Library& library_;
  const GameOverview& games_;
  GameVerifier& verifier_;
  GameRemover remover_;
  Log log_;
};

}  // namespace peer::node
