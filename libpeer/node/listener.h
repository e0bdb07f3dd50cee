// Listener: the address that this node listens on, and the addresses that peers can reach it at. Loop: control.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libpeer/api/peer_options.h"
#include "libpeer/net/address.h"

namespace peer::node {

class Listener {
 public:
  explicit Listener(api::MachineNetwork network) : network_(std::move(network)) {}

  /// The address of the open endpoint. It is advertised if it is specific and the machine reports no others.
  void set_address(const net::SocketAddress& local) {
    address_ = local.to_string();
    if (network_.addresses.empty() && !local.is_unspecified()) network_.addresses.push_back(address_);
  }
  const std::string& address() const noexcept { return address_; }
  /// This machine has the address now.
  bool is_present() const { return !network_.can_listen || network_.can_listen(); }
  /// The message if this machine does not have the address.
  std::string missing_text() const {
    return "no interface of this machine has the address " + address_ + ": peers can connect when one gets it";
  }

  /// "ip:port" of each address that peers can dial.
  const std::vector<std::string>& advertised() const noexcept { return network_.addresses; }
  /// Call it after the machine's addresses have changed.
  void refresh_advertised() {
    if (network_.find_addresses) network_.addresses = network_.find_addresses();
  }

  bool lists_interfaces() const noexcept { return static_cast<bool>(network_.list_interfaces); }
  std::vector<api::LocalInterface> interfaces() const {
    if (!network_.list_interfaces) return {};
    return network_.list_interfaces();
  }

 private:
  api::MachineNetwork network_;
  std::string address_;
};

}  // namespace peer::node
