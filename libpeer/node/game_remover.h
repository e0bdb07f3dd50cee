// GameRemover: deletes installed games of the first library root, and what downloads of them have received.
// Loop: control.
#pragma once

#include <string>

#include "libpeer/api/peer_options.h"
#include "libpeer/downloads/downloads.h"
#include "libpeer/library/library.h"
#include "libpeer/node/game_verifier.h"

namespace peer::node {

class GameRemover {
 public:
  /// Everything must outlive it.
  GameRemover(const api::PeerOptions& options, library::Library& library, downloads::Downloads& downloads,
              GameVerifier& verifier)
      : options_(options),
        library_(library),
        downloads_(downloads),
        verifier_(verifier),
        log_(options.log.named("runtime")) {}

  /// Returns when the library no longer lists the game. Fails: invalid for an id that no game can have; not_found;
  /// refused for a game of another root; disk errors.
  runtime::Task<Result<bool>> remove(std::string game, runtime::CancellationToken token);

 private:
  /// What a removal found and deleted.
  struct Removed {
    bool game = false;
    bool partial = false;  ///< bytes of a download
  };
  Result<void> check(const std::string& game) const;
  runtime::Task<Result<bool>> discard_game(std::string game, runtime::CancellationToken token);
  runtime::Task<Result<Removed>> discard_all(std::string game, runtime::CancellationToken token);
  runtime::Task<void> forget_hashes(std::string game, runtime::CancellationToken token);

  const api::PeerOptions& options_;
  library::Library& library_;
  downloads::Downloads& downloads_;
  GameVerifier& verifier_;
  Log log_;
};

}  // namespace peer::node
