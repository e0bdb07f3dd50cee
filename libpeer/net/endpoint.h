// Endpoint: the Transport over QUIC and HTTP/3 (ngtcp2, nghttp3): client and server on one DatagramSocket.
//
// Every connection has a scope below the endpoint's. run() is the outermost task: it returns after every connection
// has been closed (with a CONNECTION_CLOSE) and every task joined.
#pragma once

#include <functional>
#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/base/random.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/identity.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/scope.h"

namespace peer::net {

class EndpointCore;

struct EndpointOptions {
  Identity identity;
  Random* random;  ///< for connection ids and tokens; must outlive the endpoint
  Log log;
  /// QUIC's idle timeout. Layers above send pings to keep a connection alive.
  runtime::Duration idle_timeout = std::chrono::seconds(30);
  /// Of dialed connections: body bytes that a sender may be ahead of BodyReader::release(). Connections from clients
  /// have the windows of limits.h.
  std::uint64_t stream_window = 16 << 20;
  std::uint64_t connection_window = 64 << 20;  ///< the same for all streams of a connection together
  std::uint16_t largest_datagram = 8952;       ///< UDP payload; path MTU discovery probes nothing larger
  std::size_t half_open = 64;                  ///< handshakes in progress above which clients must prove their address
  /// Decides whether an address may connect; other addresses get no answer. Empty: every address may. Called on the
  /// endpoint's loop.
  std::function<bool(const SocketAddress& remote)> admit;
  /// Whether a peer that has proven this id has a share of the connections of its own: it is paired, trusted or of the
  /// party, or was seen on an earlier day. Empty: no peer has. Called on the endpoint's loop.
  std::function<bool(const PeerId& peer)> is_known;
  bool present_certificate = true;  ///< false: dials without a certificate, like an ordinary HTTP/3 client
  explicit EndpointOptions(Identity i, Random* r) : identity(std::move(i)), random(r) {}
};

struct EndpointStats {
  std::size_t connections = 0;
  std::size_t received_memory = 0;  ///< bytes that QUIC holds for received packets, in all connections
  SocketStats socket;
};

class Endpoint final : public Transport {
 public:
  /// Owns: the socket. Its tasks run in scopes below `scope`.
  Endpoint(runtime::Scope& scope, std::unique_ptr<DatagramSocket> socket, EndpointOptions options);
  /// run() must have returned, or never have started.
  ~Endpoint() override;

  /// Cancel: closes every connection, then returns. Fails: throws if the socket fails. Call it once.
  runtime::Task<void> run(runtime::CancellationToken token);

  SocketAddress local_address() const override;
  runtime::Task<Result<std::unique_ptr<Link>>> dial(SocketAddress address, std::optional<PeerId> expected,
                                                    runtime::CancellationToken token) override;
  runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token) override;
  EndpointStats stats() const;

 private:
  std::unique_ptr<EndpointCore> core_;
};

}  // namespace peer::net
