// InterfaceFilter: which network interfaces discovery uses: an allow list, a deny list, and built-in exceptions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/net/interfaces.h"

namespace peer::discovery {

/// Lists of interface names. A name that ends in * matches every name with that prefix.
struct InterfaceFilter {
  std::vector<std::string> only;    ///< empty: all but loopback and those of containers and virtual machines
  std::vector<std::string> ignore;  ///< never used

  /// If set, only the interface with this address is used. See resolved().
  std::optional<net::SocketAddress> holding = {};

  bool accepts(std::string_view name) const;
  /// The filter with `holding` replaced by the name of the interface in `all` that has the address now. If none has it,
  /// the result accepts no interface.
  InterfaceFilter resolved(const std::vector<net::InterfaceAddress>& all) const;
  /// The addresses of interfaces that the filter accepts and that are up.
  std::vector<net::InterfaceAddress> usable(std::vector<net::InterfaceAddress> all) const;
};

}  // namespace peer::discovery
