// Creates the ngtcp2_conn of a connection: settings and transport parameters.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "libpeer/net/endpoint.h"
#include "libpeer/net/stateless_replies.h"

namespace peer::net {

/// A table with the callbacks that ngtcp2's crypto helper implements, for both roles. The caller adds its own.
ngtcp2_callbacks crypto_callbacks() noexcept;

/// A new ngtcp2_conn. Owns: nothing; the caller deletes `quic`.
struct QuicSetup {
  ngtcp2_conn* quic = nullptr;
  std::vector<ngtcp2_cid> ids;  ///< the connection ids that lead to it
};

/// What a new connection is made from. `user` is passed to the callbacks.
struct QuicOrigin {
  const ngtcp2_callbacks& callbacks;
  const EndpointOptions& options;
  ngtcp2_path path;
  ngtcp2_tstamp now;
  void* user;
  const ngtcp2_mem* memory = nullptr;  ///< null: malloc()
};

/// Fails: throws std::bad_alloc.
QuicSetup make_quic_client(const QuicOrigin& origin);
/// `original` is the connection id that the client chose first, if it answers a Retry. Fails: throws std::bad_alloc.
QuicSetup make_quic_server(const QuicOrigin& origin, const StatelessReplies& replies, const ngtcp2_pkt_hd& header,
                           const std::optional<ngtcp2_cid>& original);

}  // namespace peer::net
