#include "libpeer/node/endpoint_network.h"

#include <utility>

namespace peer::node {

namespace {

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

}  // namespace peer::node
