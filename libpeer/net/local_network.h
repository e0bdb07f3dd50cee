// LocalNetwork: whether an address belongs to the local network. peerd answers only clients with such addresses.
#pragma once

#include <functional>
#include <vector>

#include "libpeer/net/interfaces.h"
#include "libpeer/runtime/executor.h"

namespace peer::net {

/// Loopback, private and link-local addresses are local, and so are those in the network of one of this machine's
/// interfaces. contains() lists the interfaces again when the list is older than kListInterval. Loop: any one loop.
class LocalNetwork {
 public:
  using Lister = std::function<Result<std::vector<InterfaceAddress>>()>;
  static constexpr runtime::Duration kListInterval = std::chrono::seconds(5);

  explicit LocalNetwork(Lister lister = interface_addresses) : lister_(std::move(lister)) {}
  bool contains(const SocketAddress& address, runtime::TimePoint now);

 private:
  Lister lister_;
  std::vector<InterfaceAddress> interfaces_;
  runtime::TimePoint listed_{};
  bool ever_listed_ = false;
};

}  // namespace peer::net
