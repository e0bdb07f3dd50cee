// Network: carries a peer's requests, through a QUIC endpoint on a socket, or in memory in large simulations.
#pragma once

#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/link.h"

namespace peer::api {

/// Loop: net.
class Network {
 public:
  virtual ~Network() = default;
  virtual net::Transport& transport() = 0;
  /// The outermost task. Cancel: closes all links, then ends. Fails: throws when the network fails.
  virtual runtime::Task<void> run(runtime::CancellationToken token) = 0;
  /// All zero without a socket.
  virtual net::SocketStats socket_stats() const { return {}; }
};

}  // namespace peer::api
