#include "libpeer/net/endpoint.h"

#include <utility>

#include "libpeer/net/core.h"

namespace peer::net {

struct Endpoint::Impl {
  Impl(runtime::Scope& scope, std::unique_ptr<DatagramSocket> socket, EndpointOptions options)
      : core(scope, std::move(socket), std::move(options)) {}
  Core core;
};

Endpoint::Endpoint(runtime::Scope& scope, std::unique_ptr<DatagramSocket> socket, EndpointOptions options)
    : impl_(std::make_unique<Impl>(scope, std::move(socket), std::move(options))) {}

Endpoint::~Endpoint() = default;

runtime::Task<void> Endpoint::run(runtime::CancellationToken token) { return impl_->core.run(std::move(token)); }

SocketAddress Endpoint::local_address() const { return impl_->core.local_address(); }

runtime::Task<Result<std::unique_ptr<Link>>> Endpoint::dial(SocketAddress address, std::optional<PeerId> expected,
                                                            runtime::CancellationToken token) {
  return impl_->core.dial(address, expected, std::move(token));
}

runtime::Task<void> Endpoint::serve(RequestHandler handler, runtime::CancellationToken token) {
  return impl_->core.serve(std::move(handler), std::move(token));
}

Endpoint::Stats Endpoint::stats() const { return {impl_->core.connections(), impl_->core.socket().stats()}; }

}  // namespace peer::net
