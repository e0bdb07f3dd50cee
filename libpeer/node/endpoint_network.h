// The Network of a peer on a socket: a QUIC endpoint.
#pragma once

#include <memory>

#include "libpeer/api/network.h"
#include "libpeer/net/endpoint.h"

namespace peer::node {

/// Loop: net.
std::unique_ptr<api::Network> endpoint_network(runtime::Scope& net, std::unique_ptr<net::DatagramSocket> socket,
                                               net::EndpointOptions options);

}  // namespace peer::node
