// Endpoint: the Transport over QUIC and HTTP/3 (ngtcp2, nghttp3): client and server on one DatagramSocket.
//
// Datagrams are routed by connection id. Every connection has a scope below the endpoint's; run() is the outermost
// task: it ends when cancelled, after every connection has been closed (CONNECTION_CLOSE sent) and every task joined.
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

struct EndpointOptions {
  Identity identity;
  Random* random;  ///< connection ids, reset secret; must outlive the endpoint
  Log log;
  /// QUIC's idle timeout; pings above this layer keep wanted connections alive.
  runtime::Duration idle_timeout = std::chrono::seconds(30);
  std::uint64_t stream_window = 16 << 20;      ///< body bytes a sender may have ahead of BodyReader::release()
  std::uint64_t connection_window = 64 << 20;  ///< the same over all streams
  std::uint16_t largest_datagram = 8952;       ///< path MTU discovery tries nothing larger (UDP payload)
  std::size_t half_open = 64;                  ///< handshakes under way before clients must prove their address (Retry)
  /// Whether an address may connect at all; others get no answer. Empty: anyone. Called on the endpoint's loop.
  std::function<bool(const SocketAddress& remote)> admit;
  bool present_certificate = true;  ///< false: dials as a stranger, like any HTTP/3 client
  explicit EndpointOptions(Identity i, Random* r) : identity(std::move(i)), random(r) {}
};

class Endpoint final : public Transport {
 public:
  struct Stats {
    std::size_t connections = 0;
    DatagramSocket::Stats socket;
  };

  /// Owns: the socket. Its tasks run in scopes below `scope`.
  Endpoint(runtime::Scope& scope, std::unique_ptr<DatagramSocket> socket, EndpointOptions options);
  /// run() must have ended, or never begun.
  ~Endpoint() override;

  runtime::Task<void> run(runtime::CancellationToken token);

  SocketAddress local_address() const override;
  runtime::Task<Result<std::unique_ptr<Link>>> dial(SocketAddress address, std::optional<PeerId> expected,
                                                    runtime::CancellationToken token) override;
  runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token) override;
  Stats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peer::net
