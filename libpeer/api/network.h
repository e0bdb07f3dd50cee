// Network: what a peer's requests go over: an endpoint on a socket, or, in simulations of hundreds, memory.
#pragma once

#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/link.h"

namespace peer::api {

/// Loop: net.
class Network {
 public:
  virtual ~Network() = default;
  virtual net::Transport& transport() = 0;
  /// The outermost task: ends when cancelled, after everything is closed. Fails: throws when the network breaks.
  virtual runtime::Task<void> run(runtime::CancellationToken token) = 0;
  /// All zero where there is no socket.
  virtual net::SocketStats socket_stats() const { return {}; }
};

}  // namespace peer::api
