// Acceptor: decides what happens to a client's first packet: accept it, answer with Retry, or refuse it.
//
// Loop: the endpoint's. Limits: ConnectionSlots; EndpointOptions::half_open handshakes, above
// which clients must prove their address.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "libpeer/net/address.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/stateless_replies.h"

namespace peer::net {

class EndpointCore;

class Acceptor {
 public:
  /// `core` must outlive it.
  Acceptor(EndpointCore& core, const Identity& identity);

  void accept(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
              std::span<const std::uint8_t> data);
  /// The handshake of a client has completed or failed.
  void handshake_ended() { --half_open_; }
  StatelessReplies& replies() noexcept { return replies_; }

 private:
  EndpointCore& core_;
  StatelessReplies replies_;
  std::size_t half_open_ = 0;  // connections from clients whose handshake has not completed
};

}  // namespace peer::net
