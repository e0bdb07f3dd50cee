#include "libpeer/net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace peer::net {

namespace {

using Bits = std::array<std::uint8_t, 16>;

Bits bits_of(const SocketAddress& address) {
  sockaddr_storage native;
  address.to_native(AF_INET6, native);
  Bits result;
  std::memcpy(result.data(), &reinterpret_cast<const sockaddr_in6&>(native).sin6_addr, result.size());
  return result;
}

bool same_start(const Bits& a, const Bits& b, unsigned count) {
  for (unsigned i = 0; i < a.size() && count > 0; ++i) {
    const unsigned here = std::min(count, 8u);
    const unsigned mask = 0xffu << (8 - here) & 0xffu;
    if (((a[i] ^ b[i]) & mask) != 0) return false;
    count -= here;
  }
  return true;
}

unsigned prefix_of(const sockaddr* mask) {
  if (mask == nullptr) return 0;
  unsigned count = 0;
  if (mask->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, mask, sizeof v4);
    count = static_cast<unsigned>(std::popcount(v4.sin_addr.s_addr));
  } else if (mask->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, mask, sizeof v6);
    for (const std::uint8_t byte : v6.sin6_addr.s6_addr) count += static_cast<unsigned>(std::popcount(byte));
  }
  return count;
}

}  // namespace

Result<std::vector<InterfaceAddress>> interface_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    const int error = errno;
    return fail(ErrorCode::internal, "cannot list the network interfaces: " + std::generic_category().message(error),
                error);
  }
  std::vector<InterfaceAddress> result;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    InterfaceAddress entry;
    entry.name = each->ifa_name;
    entry.name = entry.name.substr(0, entry.name.find(':'));  // an alias such as eth0:1 belongs to eth0
    entry.index = if_nametoindex(entry.name.c_str());
    const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    entry.address = SocketAddress::from_native(each->ifa_addr, length).with_port(0);
    entry.prefix = prefix_of(each->ifa_netmask);
    entry.up = (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_RUNNING) != 0;
    entry.multicast = (each->ifa_flags & IFF_MULTICAST) != 0;
    result.push_back(std::move(entry));
  }
  freeifaddrs(list);
  return result;
}

bool is_ignored_interface(std::string_view name) {
  if (name == "lo") return true;
  for (const std::string_view start : {"docker", "veth", "virbr", "lxcbr", "cni", "podman"}) {
    if (name.starts_with(start)) return true;
  }
  // Docker names its bridges br- and 12 hex digits. Other bridges are used.
  constexpr std::string_view kBridge = "br-";
  if (!name.starts_with(kBridge) || name.size() != kBridge.size() + 12) return false;
  return std::ranges::all_of(name.substr(kBridge.size()),
                             [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::vector<InterfaceAddress> usable_addresses(std::vector<InterfaceAddress> all, std::span<const std::string> only) {
  std::erase_if(all, [only](const InterfaceAddress& entry) {
    const bool named = std::ranges::find(only, entry.name) != only.end();
    const bool wanted = only.empty() ? !is_ignored_interface(entry.name) : named;
    return !wanted || !entry.up || entry.address.is_unspecified();
  });
  return all;
}

bool is_on_link(std::span<const InterfaceAddress> interfaces, const SocketAddress& address) {
  const Bits bits = bits_of(address);
  return std::ranges::any_of(interfaces, [&](const InterfaceAddress& entry) {
    const bool v4 = entry.address.is_v4();
    if (!entry.up || entry.prefix == 0 || v4 != address.is_v4()) return false;
    return same_start(bits_of(entry.address), bits, entry.prefix + (v4 ? 96 : 0));
  });
}

}  // namespace peer::net
