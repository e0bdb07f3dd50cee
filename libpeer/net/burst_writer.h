// write_burst(): writes what a connection may send now, under ngtcp2's congestion control and pacing.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include "libpeer/net/connection_path.h"
#include "libpeer/net/endpoint_core.h"

namespace peer::net {

enum class BurstEnd {
  idle,     ///< nothing more may be sent now
  more,     ///< stopped so that other connections get their turn
  blocked,  ///< the send queue is blocked
};

struct BurstResult {
  BurstEnd end = BurstEnd::idle;
  bool sent = false;
  int error = 0;  ///< ngtcp2's error code; the connection must close
};

/// Writes packets with `write_packet`, to which ngtcp2 passes the connection's user data, and sends them. `path`
/// follows the path that ngtcp2 uses. A server sends from the path's local address; a client leaves the choice to the
/// kernel.
BurstResult write_burst(EndpointCore& core, ngtcp2_conn* quic, ConnectionPath& path, bool server,
                        ngtcp2_write_pkt write_packet);

}  // namespace peer::net
