#include "libpeer/net/address.h"

#include <net/if.h>

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <unordered_set>

using peer::net::kDefaultPort;
using peer::net::SocketAddress;

namespace {
SocketAddress parse(std::string_view text) {
  const auto result = SocketAddress::parse(text);
  INFO(text);
  REQUIRE(result);
  return *result;
}
}  // namespace

TEST_CASE("An address formats to the text that it was parsed from") {
  for (const char* text :
       {"1.2.3.4:5", "0.0.0.0:0", "255.255.255.255:65535", "[::]:0", "[::1]:24747", "[2001:db8::7]:80"}) {
    CHECK(parse(text).to_string() == text);
  }
  CHECK(parse("1.2.3.4").port() == kDefaultPort);
  CHECK(parse("[::1]").port() == kDefaultPort);
  CHECK(parse("2001:db8::7").to_string() == "[2001:db8::7]:24747");
  CHECK(parse("1.2.3.4:5").host_string() == "1.2.3.4");
  CHECK(parse("[::1]:5").host_string() == "::1");
  CHECK(SocketAddress::loopback(9).to_string() == "127.0.0.1:9");
}

TEST_CASE("The error for an invalid address quotes it") {
  for (const char* text : {"",
                           ":",
                           ":5",
                           "host",
                           "host:5",
                           "1.2.3",
                           "1.2.3.4:",
                           "1.2.3.4:x",
                           "1.2.3.4:65536",
                           "1.2.3.4:-1",
                           "1.2.3.4: 5",
                           "[1.2.3.4]:5",
                           "[::1",
                           "[::1]5",
                           "[::1]:",
                           "[]:5",
                           "::1]:5",
                           "[::1%lo]:5",
                           "[fe80::1%]:5",
                           "[fe80::1%nosuchif]:5",
                           "1.2.3.4%lo:5"}) {
    INFO(text);
    const auto result = SocketAddress::parse(text);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == peer::ErrorCode::invalid);
    CHECK(result.error().message.contains(std::string("\"") + text + "\""));
  }
}

TEST_CASE("A link-local address keeps its interface") {
  const unsigned index = if_nametoindex("lo");
  REQUIRE(index != 0);
  const SocketAddress address = parse("[fe80::1%lo]:7");
  CHECK(address.to_string() == "[fe80::1%lo]:7");
  sockaddr_storage native;
  REQUIRE(address.to_native(AF_INET6, native) == sizeof(sockaddr_in6));
  CHECK(reinterpret_cast<const sockaddr_in6&>(native).sin6_scope_id == index);
  CHECK(parse("[fe80::1%" + std::to_string(index) + "]:7") == address);
  CHECK(address != parse("[fe80::1]:7"));
}

TEST_CASE("An IPv4-mapped address equals the IPv4 address") {
  const SocketAddress plain = parse("10.1.2.3:4");
  CHECK(parse("[::ffff:10.1.2.3]:4") == plain);
  sockaddr_storage native;
  REQUIRE(plain.to_native(AF_INET6, native) == sizeof(sockaddr_in6));
  CHECK(native.ss_family == AF_INET6);
  CHECK(SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof(sockaddr_in6)) == plain);
  REQUIRE(plain.to_native(AF_INET, native) == sizeof(sockaddr_in));
  CHECK(native.ss_family == AF_INET);
  CHECK(SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof(sockaddr_in)) == plain);
  CHECK(parse("[::1]:4").to_native(AF_INET, native) == 0);
}

TEST_CASE("Loopback, private and link-local addresses are local") {
  CHECK(parse("0.0.0.0:1").is_unspecified());
  CHECK(parse("[::]:1").is_unspecified());
  CHECK(SocketAddress().is_unspecified());
  CHECK_FALSE(parse("0.0.0.1:1").is_unspecified());
  CHECK(parse("127.9.9.9:1").is_loopback());
  CHECK(parse("[::1]:1").is_loopback());
  for (const char* text : {"127.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.7.7", "169.254.1.1", "::1",
                           "fe80::1", "fd12::1", "fc00::1"}) {
    INFO(text);
    CHECK(parse(text).is_local());
  }
  for (const char* text :
       {"8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "2001:db8::1", "fe00::1", "11.0.0.1"}) {
    INFO(text);
    CHECK_FALSE(parse(text).is_local());
  }
}

TEST_CASE("Addresses are ordered and hashed by value") {
  const SocketAddress a = parse("10.0.0.1:1");
  CHECK(a < parse("10.0.0.2:1"));
  CHECK(a < a.with_port(2));
  CHECK(a.with_port(2).with_port(1) == a);
  std::unordered_set<std::size_t> hashes;
  for (std::uint16_t port = 0; port < 1000; ++port) hashes.insert(std::hash<SocketAddress>()(a.with_port(port)));
  CHECK(hashes.size() == 1000);
}
