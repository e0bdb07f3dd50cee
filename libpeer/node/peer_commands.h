// PeerCommands: the handlers of the commands about other peers. Loop: control.
#pragma once

#include <string>
#include <utility>

#include "libpeer/api/commands.h"
#include "libpeer/node/access_list_store.h"
#include "libpeer/sessions/peers.h"

namespace peer::node {

class PeerCommands {
 public:
  /// Everything must outlive it.
  PeerCommands(const PeerId& self, sessions::Peers& peers, AccessListStore<sessions::Ban>& bans,
               AccessListStore<std::string>& pairings)
      : self_(self), peers_(peers), bans_(bans), pairings_(pairings) {}

  Result<std::vector<api::PeerInfo>> handle(const api::ListPeers&) { return peers_.list(); }
  runtime::Task<Result<api::PeerInfo>> handle(api::ConnectPeer command, runtime::CancellationToken token) {
    return peers_.connect(std::move(command.address), std::move(token));
  }
  Result<api::Disconnected> handle(const api::DisconnectPeer& command) { return peers_.disconnect(command.peer); }
  runtime::Task<Result<bool>> handle(api::BanPeer command, runtime::CancellationToken token);
  runtime::Task<Result<bool>> handle(api::UnbanPeer command, runtime::CancellationToken token);
  runtime::Task<Result<api::Pairing>> handle(api::PairPeer command, runtime::CancellationToken token);
  runtime::Task<Result<api::Pairing>> handle(api::UnpairPeer command, runtime::CancellationToken token);

 private:
  const PeerId self_;
  sessions::Peers& peers_;
  AccessListStore<sessions::Ban>& bans_;
  AccessListStore<std::string>& pairings_;
};

}  // namespace peer::node
