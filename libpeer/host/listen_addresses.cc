#include "libpeer/host/listen_addresses.h"

#include <algorithm>
#include <utility>

#include "libpeer/net/interfaces.h"
#include "libpeer/net/udp_socket.h"

namespace peer::host {

discovery::InterfaceFilter used_interfaces(const net::SocketAddress& bound, discovery::InterfaceFilter configured) {
  if (bound.is_unspecified()) return configured;
  const auto all = net::interface_addresses();
  if (!all) return configured;
  const auto has_it = [&](const net::InterfaceAddress& each) { return each.address.with_port(bound.port()) == bound; };
  if (std::ranges::any_of(*all, has_it) || !net::owns_address(bound)) configured.holding = bound;
  return configured;
}

std::vector<std::string> reachable_addresses(const net::SocketAddress& bound,
                                             const discovery::InterfaceFilter& interfaces) {
  std::vector<std::string> addresses;
  auto all = net::interface_addresses();
  if (!bound.is_unspecified() || !all) return addresses;
  for (const net::InterfaceAddress& found : interfaces.usable(std::move(*all))) {
    const std::string text = found.address.with_port(bound.port()).to_string();
    if (bound.is_v4() && !found.address.is_v4()) continue;
    if (text.find('%') == std::string::npos) addresses.push_back(text);  // a scope is meaningless on other machines
  }
  return addresses;
}

std::vector<api::LocalInterface> local_interfaces(const discovery::InterfaceFilter& configured) {
  std::vector<api::LocalInterface> list;
  const auto all = net::interface_addresses();
  if (!all) return list;
  const discovery::InterfaceFilter filter = configured.resolved(*all);
  for (const net::InterfaceAddress& each : *all) {
    if (each.up) list.push_back({each, filter.accepts(each.name)});
  }
  return list;
}

}  // namespace peer::host
