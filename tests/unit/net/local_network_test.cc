#include "libpeer/net/local_network.h"

#include <catch2/catch_test_macros.hpp>

using namespace peer;
using namespace peer::net;

TEST_CASE("Private addresses and the networks of the interfaces are local") {
  int listed = 0;
  std::vector<InterfaceAddress> interfaces;
  LocalNetwork network([&]() -> Result<std::vector<InterfaceAddress>> {
    ++listed;
    return interfaces;
  });
  const auto address = [](const char* text) { return *SocketAddress::parse(text); };
  runtime::TimePoint now{};
  CHECK(network.contains(address("192.168.1.9:1"), now));
  CHECK(network.contains(address("127.0.0.1:1"), now));
  CHECK(network.contains(address("[fe80::1]:1"), now));
  CHECK(listed == 0);
  CHECK_FALSE(network.contains(address("203.0.113.9:1"), now));
  interfaces.push_back({"eth0", 2, address("203.0.113.1:0"), 24, true});
  CHECK_FALSE(network.contains(address("203.0.113.9:1"), now));
  CHECK(listed == 1);
  now += LocalNetwork::kListInterval;
  CHECK(network.contains(address("203.0.113.9:1"), now));
  CHECK_FALSE(network.contains(address("203.0.114.9:1"), now));
  CHECK(listed == 2);
}
