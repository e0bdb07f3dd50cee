// LocalNetwork: whether an address belongs to the local network, which is whom open mode answers.
#pragma once

#include <functional>
#include <vector>

#include "libpeer/net/interfaces.h"
#include "libpeer/runtime/executor.h"

namespace peer::net {

/// Loopback, private and link-local addresses always do; any other one if an interface of this machine is in its
/// network. Interfaces change: they are listed again when asked, at most once in kListInterval. Loop: one.
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
