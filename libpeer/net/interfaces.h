// The addresses of this machine's network interfaces: what peers are told to reach us at, and what is on-link.
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
  SocketAddress address;  ///< port 0; a link-local one has this interface as its scope, which means nothing elsewhere
  unsigned prefix = 0;    ///< bits of the network part
  bool up = false;
  bool multicast = false;

  bool operator==(const InterfaceAddress&) const = default;
};

/// All of them as they are now. Does not block. Fails: internal.
Result<std::vector<InterfaceAddress>> interface_addresses();

/// Loopback and the bridges of containers and virtual machines, by name: nobody on the LAN reaches them.
bool is_ignored_interface(std::string_view name);

/// What is up and, with an empty `only`, not ignored; otherwise what is up and named in `only`.
std::vector<InterfaceAddress> usable_addresses(std::vector<InterfaceAddress> all, std::span<const std::string> only);

/// Whether `address` lies in a network that one of the interfaces is in.
bool is_on_link(std::span<const InterfaceAddress> interfaces, const SocketAddress& address);

}  // namespace peer::net
