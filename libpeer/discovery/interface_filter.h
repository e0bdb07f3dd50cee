// InterfaceFilter: which network interfaces are used: an allow list, a deny list, and names that are never meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/net/interfaces.h"

namespace peer::discovery {

/// Names; one that ends in * stands for all that begin so.
struct InterfaceFilter {
  std::vector<std::string> only;    ///< empty: all but those of containers and virtual machines, and loopback
  std::vector<std::string> ignore;  ///< not these, in any case

  /// Only interfaces that have this address, where it is given; see resolved().
  std::optional<net::SocketAddress> holding = {};

  bool wants(std::string_view name) const;
  /// The filter with `holding` turned into the names of the interfaces in `all` that have the address now; if there are
  /// none it wants nothing.
  InterfaceFilter resolved(const std::vector<net::InterfaceAddress>& all) const;
  /// Of interfaces that are wanted and up.
  std::vector<net::InterfaceAddress> usable(std::vector<net::InterfaceAddress> all) const;
};

}  // namespace peer::discovery
