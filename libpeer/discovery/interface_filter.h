// InterfaceFilter: which network interfaces are used: an allow list, a deny list, and names that are never meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/interfaces.h"

namespace peer::discovery {

/// Names; one that ends in * stands for all that begin so.
struct InterfaceFilter {
  std::vector<std::string> only;    ///< empty: all but those of containers and virtual machines, and loopback
  std::vector<std::string> ignore;  ///< not these, in any case

  bool wants(std::string_view name) const;
  /// Of interfaces that are wanted and up.
  std::vector<net::InterfaceAddress> usable(std::vector<net::InterfaceAddress> all) const;
};

}  // namespace peer::discovery
