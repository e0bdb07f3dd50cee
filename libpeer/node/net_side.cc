#include "libpeer/node/net_side.h"

#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/routes.h"

namespace peer::node {

namespace {
/// Refused sessions and proofs that the control loop hears of: at once, and a second.
constexpr double kDenials = 16;
constexpr double kDenialsASecond = 4;

class EndpointNetwork final : public api::Network {
 public:
  EndpointNetwork(runtime::Scope& net, std::unique_ptr<net::DatagramSocket> socket, net::EndpointOptions options)
      : endpoint_(net, std::move(socket), std::move(options)) {}
  net::Transport& transport() override { return endpoint_; }
  runtime::Task<void> run(runtime::CancellationToken token) override { return endpoint_.run(std::move(token)); }
  net::SocketStats socket_stats() const override { return endpoint_.stats().socket; }

 private:
  net::Endpoint endpoint_;
};
}  // namespace

std::unique_ptr<api::Network> endpoint_network(runtime::Scope& net, std::unique_ptr<net::DatagramSocket> socket,
                                               net::EndpointOptions options) {
  return std::make_unique<EndpointNetwork>(net, std::move(socket), std::move(options));
}

NetSide::NetSide(runtime::Executor& executor, std::unique_ptr<api::Network> network, access::Access access,
                 const PeerId& self, store::Disk& disk, runtime::Workers& workers, Log log)
    : executor_(executor),
      network_(std::move(network)),
      gate_(executor, std::move(access), self),
      transport_(network_->transport(), gate_),
      up_(executor),
      down_(executor),
      seeder_(disk, workers, log.named("seeder")) {
  seeder_.set_limit(&up_);
  seeder_.set_still_served(
      [this](const net::ServerStream& stream) { return gate_.admits(stream) && !is_banned(stream); });
}

runtime::Task<void> NetSide::serve(sessions::SessionContext sessions, runtime::CancellationToken token) {
  net::RequestHandler handler = [this, sessions](net::ServerStream& stream, runtime::CancellationToken t) {
    return handle(sessions, stream, std::move(t));
  };
  co_await network_->transport().serve(std::move(handler), token);
}

runtime::Task<void> NetSide::handle(sessions::SessionContext sessions, net::ServerStream& stream,
                                    runtime::CancellationToken token) {
  if (!accepting_) {
    net::ResponseHead busy;
    busy.status = to_int(protocol::HttpStatus::unavailable);
    static_cast<void>(stream.respond(busy, false));
    co_return;
  }
  if (!gate_.admits(stream)) {
    co_await turn_away(sessions, stream, token);
    co_return;
  }
  const net::RequestHead& head = stream.request();
  const auto route = protocol::parse_route(head.method, head.path);
  if (!route) {
    co_await seeder_.refuse(stream, route.error(), token);
  } else if (std::holds_alternative<protocol::ProofRoute>(*route)) {
    if (gate_.serve_proof(stream)) co_return;
    Error error(ErrorCode::refused, "this peer is of no party", 0);
    co_await seeder_.forbid(stream, std::move(error), token);
  } else if (std::holds_alternative<protocol::SessionRoute>(*route)) {
    co_await accept_session(sessions, stream, token);
  } else if (is_banned(stream)) {
    Error error(ErrorCode::refused, "this peer is banned here", 0);
    co_await seeder_.forbid(stream, std::move(error), token);
  } else {
    PEER_FAULT_POINT("request");
    co_await seeder_.serve(stream, *route, token);
  }
}

/// One answer to everything but the right proof, and nothing is looked up for it.
runtime::Task<void> NetSide::turn_away(const sessions::SessionContext& sessions, net::ServerStream& stream,
                                       runtime::CancellationToken token) {
  const net::RequestHead& head = stream.request();
  const auto is = [&head](const protocol::Route& route) {
    return head.method == "POST" && head.path == protocol::format_route(route);
  };
  const bool proof = is(protocol::ProofRoute{});
  if (proof && gate_.serve_proof(stream)) co_return;
  if (stream.peer() && (proof || is(protocol::SessionRoute{}))) {
    // When the control loop is behind, or they are many, it can do without.
    if (denials_.try_consume(executor_.now(), kDenials, kDenialsASecond))
      static_cast<void>(sessions.reports.try_send(sessions::SessionDenied{0, *stream.peer(), stream.remote_address()}));
  }
  Error error(ErrorCode::refused, "this peer deals only with those it knows", 0);
  co_await seeder_.forbid(stream, std::move(error), token);
}

}  // namespace peer::node
