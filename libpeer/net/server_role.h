// ServerRole: the server side of an endpoint: accepts connections, and runs a handler for each request.
//
// Loop: the endpoint's.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "libpeer/base/log.h"
#include "libpeer/net/address.h"
#include "libpeer/net/datagram_socket.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/event.h"

namespace peer::net {

class Connection;
class EndpointCore;
class Http3Stream;

class ServerRole {
 public:
  /// `core` must outlive it.
  explicit ServerRole(EndpointCore& core) : core_(core) {}
  /// serve() must have ended.
  ~ServerRole();

  /// See Transport::serve(). Cancel: stops the handlers and joins them, then closes the connections once their last
  /// responses have been sent, after limits::kDrain at the latest.
  runtime::Task<void> serve(RequestHandler handler, runtime::CancellationToken token);
  /// The first packet of a client: accepts it, asks for an address proof, or refuses it.
  void accept(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
              std::span<const std::uint8_t> data);
  /// A handshake has completed or failed.
  void handshake_ended() { --half_open_; }
  /// Starts the handler of a request. False if nothing serves now.
  bool begin_request(Connection& connection, std::shared_ptr<Http3Stream> stream);

 private:
  /// One call of serve().
  struct ServingRun {
    explicit ServingRun(RequestHandler h) : handler(std::move(h)) {}
    RequestHandler handler;
    std::size_t active = 0;
    runtime::Event idle;
  };
  static runtime::Task<void> run_handler(std::shared_ptr<Connection> connection, std::shared_ptr<Http3Stream> stream,
                                         std::shared_ptr<ServingRun> run, Log log);

  EndpointCore& core_;
  std::shared_ptr<ServingRun> run_;
  std::size_t half_open_ = 0;  // connections from clients whose handshake has not completed
};

}  // namespace peer::net
