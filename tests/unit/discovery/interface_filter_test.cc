#include "libpeer/discovery/interface_filter.h"

#include <catch2/catch_test_macros.hpp>

using peer::discovery::InterfaceFilter;

TEST_CASE("Interfaces of containers are ignored by name, all others are used") {
  const InterfaceFilter filter{};
  for (const char* name :
       {"lo", "docker0", "docker_gwbridge", "br-0123456789ab", "veth12ab", "virbr0", "lxcbr0", "cni0", "podman1"}) {
    CAPTURE(name);
    CHECK_FALSE(filter.accepts(name));
  }
  for (const char* name : {"eth0", "wlan0", "br0", "br-lan", "br-0123456789a", "br-0123456789AB", "bond0", "tap3"}) {
    CAPTURE(name);
    CHECK(filter.accepts(name));
  }
}

TEST_CASE("A bound address selects the interface that has it now, or none") {
  using peer::net::InterfaceAddress;
  using peer::net::SocketAddress;
  InterfaceFilter filter{{"eth1", "eth2"}, {"eth3"}};
  std::vector<InterfaceAddress> all;
  for (const auto& [name, address] : {std::pair("eth0", "10.0.0.1:0"), std::pair("eth3", "10.0.0.3:0")}) {
    InterfaceAddress each;
    each.name = name;
    each.address = *SocketAddress::parse(address);
    each.up = true;
    all.push_back(each);
  }
  CHECK(filter.resolved(all).accepts("eth1"));
  CHECK_FALSE(filter.resolved(all).accepts("eth0"));
  filter.holding = *SocketAddress::parse("10.0.0.1:24747");
  CHECK(filter.resolved(all).accepts("eth0"));
  CHECK_FALSE(filter.resolved(all).accepts("eth1"));
  CHECK(filter.resolved(all).usable(all).size() == 1);
  filter.holding = *SocketAddress::parse("10.0.0.3:24747");
  CHECK_FALSE(filter.resolved(all).accepts("eth3"));  // the deny list has priority
  filter.holding = *SocketAddress::parse("10.0.0.9:24747");
  CHECK(filter.resolved(all).usable(all).empty());
  CHECK_FALSE(filter.resolved(all).accepts("lo"));
}

TEST_CASE("The allow list overrides the built-in exceptions, and the deny list overrides the allow list") {
  const InterfaceFilter filter{{"eth0", "docker*", "wg1"}, {"wg*"}};
  CHECK(filter.accepts("eth0"));
  CHECK(filter.accepts("docker0"));
  CHECK_FALSE(filter.accepts("eth1"));
  CHECK_FALSE(filter.accepts("wg1"));
  const InterfaceFilter only_denied{{}, {"eth1"}};
  CHECK(only_denied.accepts("eth0"));
  CHECK_FALSE(only_denied.accepts("eth1"));
}
