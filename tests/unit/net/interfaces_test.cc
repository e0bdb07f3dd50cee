#include "libpeer/net/interfaces.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/net/private_network.h"

using peer::net::InterfaceAddress;
using peer::net::is_ignored_interface;
using peer::net::SocketAddress;

namespace {

InterfaceAddress entry(std::string name, std::string_view address, unsigned prefix, bool up = true) {
  const auto parsed = SocketAddress::parse(address, 0);
  REQUIRE(parsed);
  return InterfaceAddress{std::move(name), 1, *parsed, prefix, up};
}

std::vector<std::string> names(const std::vector<InterfaceAddress>& entries) {
  std::vector<std::string> result;
  for (const auto& each : entries) result.push_back(each.name);
  return result;
}

}  // namespace

TEST_CASE("Interfaces of containers and virtual machines are ignored") {
  for (const char* name : {"lo", "docker0", "docker_gwbridge", "br-0123456789ab", "veth12ab", "virbr0", "virbr0-nic",
                           "lxcbr0", "cni0", "cni-podman0", "podman1"}) {
    INFO(name);
    CHECK(is_ignored_interface(name));
  }
  for (const char* name : {"eth0", "enp3s0", "wlan0", "br0", "br-lan", "br-0123456789a", "br-0123456789abc",
                           "br-0123456789ag", "lo1", "bond0", "tun0", ""}) {
    INFO(name);
    CHECK_FALSE(is_ignored_interface(name));
  }
}

TEST_CASE("Usable addresses belong to interfaces that are up and not ignored") {
  const std::vector<InterfaceAddress> all{entry("lo", "127.0.0.1", 8), entry("eth0", "192.168.1.5", 24),
                                          entry("eth1", "192.168.2.5", 24, false), entry("docker0", "172.17.0.1", 16),
                                          entry("wlan0", "2001:db8::5", 64)};
  CHECK(names(peer::net::usable_addresses(all, {})) == std::vector<std::string>{"eth0", "wlan0"});
  const std::vector<std::string> only{"docker0", "eth1", "lo"};
  CHECK(names(peer::net::usable_addresses(all, only)) == std::vector<std::string>{"lo", "docker0"});
}

TEST_CASE("An address is on-link if it is in the network of an interface that is up") {
  const std::vector<InterfaceAddress> all{entry("eth0", "203.0.113.70", 26), entry("eth0", "2001:db8:1::5", 60),
                                          entry("eth1", "198.51.100.1", 24, false), entry("tun0", "198.18.0.1", 32)};
  const auto on_link = [&](std::string_view text) { return peer::net::is_on_link(all, *SocketAddress::parse(text)); };
  CHECK(on_link("203.0.113.64"));
  CHECK(on_link("203.0.113.127"));
  CHECK_FALSE(on_link("203.0.113.63"));
  CHECK_FALSE(on_link("203.0.113.128"));
  CHECK(on_link("2001:db8:1:f::9"));
  CHECK_FALSE(on_link("2001:db8:1:10::9"));
  CHECK_FALSE(on_link("198.51.100.2"));  // down
  CHECK(on_link("198.18.0.1"));
  CHECK_FALSE(on_link("198.18.0.2"));
}

TEST_CASE("The machine's interfaces are listed") {
  peer::test::PrivateNetwork network;
  if (!network.entered()) SKIP("needs the privilege to create a network namespace");
  const auto found = peer::net::interface_addresses();
  REQUIRE(found);
  const InterfaceAddress loopback{"lo", 1, SocketAddress::loopback(0), 8, true};
  CHECK(std::ranges::find(*found, loopback) != found->end());
}
