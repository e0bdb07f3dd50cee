#include "libpeer/net/acceptor.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <memory>
#include <optional>
#include <utility>

#include "libpeer/net/connection.h"
#include "libpeer/net/endpoint_core.h"
#include "libpeer/net/limits.h"

namespace peer::net {

Acceptor::Acceptor(EndpointCore& core, const Identity& identity)
    : core_(core), replies_(core.executor(), core.out(), core.random(), identity, core.local_address().port()) {}

void Acceptor::accept(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                      std::span<const std::uint8_t> data) {
  if (!core_.server().serving()) {
    return replies_.refuse(header, NGTCP2_CONNECTION_REFUSED, local, remote);
  }
  Connection::ClientInitial initial{header, std::nullopt, local, remote};
  if (header.tokenlen > 0 && header.token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) {
    initial.original = replies_.verify_token(header, remote);
    if (!initial.original) return replies_.refuse(header, NGTCP2_INVALID_TOKEN, local, remote);
  } else if (half_open_ >= core_.options().half_open) {
    return replies_.retry(header, local, remote);
  }
  if (!initial.original && header.dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN) return;
  std::optional<ConnectionSlot> slot = core_.slots().acquire(remote);
  if (!slot) return replies_.refuse(header, NGTCP2_CONNECTION_REFUSED, local, remote);
  const auto connection = std::make_shared<Connection>(core_, initial);
  connection->standing.slot = std::move(*slot);
  ++half_open_;
  core_.add(connection);
  if (connection->receive(local, remote, ecn, data) == NGTCP2_ERR_RETRY) replies_.retry(header, local, remote);
}

}  // namespace peer::net
