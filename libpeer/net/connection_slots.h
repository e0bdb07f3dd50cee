// ConnectionSlots: which clients may be connected. A new client takes the slot of a remote that holds more than its
// share: idle connections without a session first, the one that idles longest among them.
//
// Loop: the endpoint's. Limits: limits::kInbound connections from clients, limits::kUnaccepted of them without a
// session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "libpeer/base/digest.h"
#include "libpeer/net/accounts.h"
#include "libpeer/net/address.h"
#include "libpeer/net/limits.h"

namespace peer::net {

class Connection;
class EndpointCore;

/// What a client's connection is charged.
struct ConnectionSlot {
  FairAccount::AccountCharge inbound;
  FairAccount::AccountCharge unaccepted;  ///< until its peer is accepted
};

class ConnectionSlots {
 public:
  /// `core` must outlive it.
  explicit ConnectionSlots(EndpointCore& core) : core_(core) {}
  /// A slot for a new client. Closes another connection if necessary. Nothing if this remote holds its share.
  std::optional<ConnectionSlot> acquire(const SocketAddress& remote);
  /// The peer was admitted, its session was accepted, or it is `known`, which gives it a share of its own.
  void accept(Connection& connection, bool known);
  /// Whether a connection to or from this peer carries a session, or was dialed here.
  bool has_session(const PeerId& peer) const;

 private:
  std::optional<FairAccount::AccountCharge> charge(FairAccount& account, const RemoteKey& remote, bool unaccepted_only);
  std::shared_ptr<Connection> choose_victim(const ShareKey& group, bool unaccepted_only, bool idle_only) const;

  EndpointCore& core_;
  FairAccount inbound_{limits::kInbound};
  FairAccount unaccepted_{limits::kUnaccepted};
  std::uint64_t next_ = 1;
};

}  // namespace peer::net
