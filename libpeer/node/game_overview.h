// GameOverview: all games, installed here or offered by connected peers. Loop: control.
#pragma once

#include "libpeer/api/commands.h"
#include "libpeer/api/peer_options.h"
#include "libpeer/downloads/downloads.h"
#include "libpeer/library/library.h"
#include "libpeer/node/game_verifier.h"
#include "libpeer/sessions/peer_table.h"

namespace peer::node {

class GameOverview {
 public:
  /// `transport` is used on the net loop, to fetch manifests. Everything must outlive it.
  GameOverview(const api::PeerOptions& options, const library::Library& library, const sessions::PeerTable& peers,
               const downloads::Downloads& downloads, const GameVerifier& verifier, net::Transport& transport)
      : options_(options),
        library_(library),
        peers_(peers),
        downloads_(downloads),
        verifier_(verifier),
        transport_(transport) {}

  /// Sorted by id.
  std::vector<api::GameInfo> list() const;
  /// One game with its files. Fails: not_found; unavailable; what fetching the manifest fails with.
  runtime::Task<Result<api::GameDetails>> details(api::ShowGame command, runtime::CancellationToken token) const;

 private:
  using ManifestPtr = std::shared_ptr<const protocol::ManifestDocument>;
  std::optional<api::GameInfo> find(const std::string& game) const;
  static std::shared_ptr<const library::LocalGame> downloading_game(const api::DownloadInfo& download,
                                                                    const api::GameInfo& game, std::string root);
  runtime::Task<Result<ManifestPtr>> fetch_manifest(std::string game, Digest version,
                                                    runtime::CancellationToken token) const;

  const api::PeerOptions& options_;
  const library::Library& library_;
  const sessions::PeerTable& peers_;
  const downloads::Downloads& downloads_;
  const GameVerifier& verifier_;
  net::Transport& transport_;
};

}  // namespace peer::node
