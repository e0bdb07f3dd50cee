#include "libpeer/net/endpoint.h"

#include <utility>

#include "libpeer/net/connection.h"
#include "libpeer/net/endpoint_core.h"

namespace peer::net {

Endpoint::Endpoint(runtime::Scope& scope, std::unique_ptr<DatagramSocket> socket, EndpointOptions options)
    : core_(std::make_unique<EndpointCore>(scope, std::move(socket), std::move(options))) {}

Endpoint::~Endpoint() = default;

runtime::Task<void> Endpoint::run(runtime::CancellationToken token) { return core_->run(std::move(token)); }

SocketAddress Endpoint::local_address() const { return core_->local_address(); }

runtime::Task<Result<std::unique_ptr<Link>>> Endpoint::dial(SocketAddress address, std::optional<PeerId> expected,
                                                            runtime::CancellationToken token) {
  return core_->dial(address, expected, std::move(token));
}

runtime::Task<void> Endpoint::serve(RequestHandler handler, runtime::CancellationToken token) {
  return core_->server().serve(std::move(handler), std::move(token));
}

EndpointStats Endpoint::stats() const {
  std::size_t received = 0;
  for (const auto& [serial, connection] : core_->connections()) received += connection->standing.memory.received();
  return {core_->connections().size(), received, core_->socket().stats()};
}

}  // namespace peer::net
