// The addresses at which peers can reach a listening socket.
#pragma once

#include <string>
#include <vector>

#include "libpeer/api/peer.h"
#include "libpeer/discovery/interface_filter.h"
#include "libpeer/net/address.h"

namespace peer::host {

/// The interfaces that a socket bound to `bound` uses. A socket on one specific address uses only the interfaces that
/// have this address; an address that belongs to no interface (such as 127.0.0.2) leaves `configured` unchanged.
discovery::InterfaceFilter used_interfaces(const net::SocketAddress& bound, discovery::InterfaceFilter configured);

/// "ip:port" for each way to reach a socket that listens on all interfaces. Empty for a socket on a specific address.
std::vector<std::string> reachable_addresses(const net::SocketAddress& bound,
                                             const discovery::InterfaceFilter& interfaces);

/// The interfaces that are up, each with a flag that says whether the filter selects it.
std::vector<api::LocalInterface> local_interfaces(const discovery::InterfaceFilter& configured);

}  // namespace peer::host
