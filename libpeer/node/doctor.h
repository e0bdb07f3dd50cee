// Doctor: the command Diagnose: checks everything that must be right on this machine for fast downloads.
// Loop: control.
#pragma once

#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/api/peer_options.h"
#include "libpeer/library/library.h"
#include "libpeer/node/game_overview.h"
#include "libpeer/node/listener.h"
#include "libpeer/node/net_loop.h"
#include "libpeer/node/services.h"
#include "libpeer/sessions/peers.h"

namespace peer::node {

class Doctor {
 public:
  /// Everything must outlive it.
  Doctor(const api::PeerOptions& options, const Listener& listener, Services& services, const library::Library& library,
         const GameOverview& games, const sessions::Peers& peers, NetLoop& net)
      : options_(options),
        listener_(listener),
        services_(services),
        library_(library),
        games_(games),
        peers_(peers),
        net_(net) {}

  runtime::Task<Result<std::vector<api::Finding>>> diagnose(runtime::CancellationToken token) const;

 private:
  using Findings = std::vector<api::Finding>;
  runtime::Task<Findings> check_access(runtime::CancellationToken token) const;
  runtime::Task<Findings> check_disk(runtime::CancellationToken token) const;
  Findings check_discovery() const;
  void check_services(Findings& findings) const;
  void check_games(Findings& findings) const;

  const api::PeerOptions& options_;
  const Listener& listener_;
  Services& services_;
  const library::Library& library_;
  const GameOverview& games_;
  const sessions::Peers& peers_;
  NetLoop& net_;
};

}  // namespace peer::node
