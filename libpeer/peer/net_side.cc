#include "peer/net_side.h"

#include <utility>

#include "protocol/routes.h"

namespace peer::node {

namespace {
class EndpointNetwork final : public Network {
 public:
  EndpointNetwork(rt::Scope& net, std::unique_ptr<net::DatagramSocket> socket, net::EndpointOptions options)
      : endpoint_(net, std::move(socket), std::move(options)) {}
  net::Transport& transport() override { return endpoint_; }
  rt::Task<void> run(rt::CancellationToken token) override { return endpoint_.run(std::move(token)); }
  net::DatagramSocket::Stats socket_stats() const override { return endpoint_.stats().socket; }

 private:
  net::Endpoint endpoint_;
};
}  // namespace

std::unique_ptr<Network> endpoint_network(rt::Scope& net, std::unique_ptr<net::DatagramSocket> socket,
                                          net::EndpointOptions options) {
  return std::make_unique<EndpointNetwork>(net, std::move(socket), std::move(options));
}

NetSide::NetSide(rt::Executor& executor, std::unique_ptr<Network> network, store::Disk& disk, rt::Workers& workers,
                 Log log)
    : network_(std::move(network)), up_(executor), down_(executor), seeder_(disk, workers, log.named("seeder")) {
  seeder_.set_limit(&up_);
}

rt::Task<void> NetSide::serve(SessionContext sessions, rt::CancellationToken token) {
  net::RequestHandler handler = [this, sessions](net::ServerStream& stream, rt::CancellationToken t) {
    return handle(sessions, stream, std::move(t));
  };
  co_await network_->transport().serve(std::move(handler), token);
}

rt::Task<void> NetSide::handle(SessionContext sessions, net::ServerStream& stream, rt::CancellationToken token) {
  if (!accepting_) {
    net::ResponseHead busy;
    busy.status = 503;
    static_cast<void>(stream.respond(busy, false));
    co_return;
  }
  const net::RequestHead& head = stream.request();
  const auto route = protocol::parse_route(head.method, head.path);
  if (!route) {
    co_await seeder_.refuse(stream, route.error(), token);
  } else if (std::holds_alternative<protocol::SessionRoute>(*route)) {
    co_await accept_session(sessions, stream, token);
  } else if (stream.peer() && banned_.contains(*stream.peer())) {
    Error error(ErrorCode::refused, "this peer is banned here", 0);
    co_await seeder_.refuse(stream, std::move(error), token);
  } else {
    co_await seeder_.serve(stream, *route, token);
  }
}

}  // namespace peer::node
