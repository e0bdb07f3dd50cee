// The addresses of this machine's network interfaces: where peers can reach it, and which addresses are on-link.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/net/address.h"

namespace peer::net {

struct InterfaceAddress {
  std::string name;
  unsigned index = 0;
  SocketAddress address;  ///< with port 0; the scope of a link-local address is this interface
  unsigned prefix = 0;    ///< bits of the network part
  bool up = false;
  bool multicast = false;

  bool operator==(const InterfaceAddress&) const = default;
};

/// Lists all addresses of all interfaces. Does not block. Fails: internal.
Result<std::vector<InterfaceAddress>> interface_addresses();

/// Whether the name is that of loopback, or of a bridge of containers or virtual machines. The LAN cannot reach these.
bool is_ignored_interface(std::string_view name);

/// The addresses of interfaces that are up and named in `only`, or, if `only` is empty, not ignored.
std::vector<InterfaceAddress> usable_addresses(std::vector<InterfaceAddress> all, std::span<const std::string> only);

/// Whether `address` is in the network of one of the interfaces.
bool is_on_link(std::span<const InterfaceAddress> interfaces, const SocketAddress& address);

}  // namespace peer::net
