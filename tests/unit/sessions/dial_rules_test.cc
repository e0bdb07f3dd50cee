#include "libpeer/sessions/dial_rules.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"
#include "unit/sessions/session_machine.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;

namespace {
bool dials(const std::string& address, const std::string& remote = "10.0.0.9:24747", bool on_link = false) {
  return may_dial(*net::SocketAddress::parse(address), *net::SocketAddress::parse(remote), on_link);
}
}  // namespace

TEST_CASE("Only the peer's own address and addresses of the local network are dialed because a peer names them") {
  CHECK(dials("10.0.0.9:24748"));
  CHECK(dials("192.168.1.4:1024"));
  CHECK(dials("203.0.113.5:24747", "203.0.113.5:9"));
  CHECK(dials("203.0.113.5:24747", "10.0.0.9:9", true));
  CHECK_FALSE(dials("203.0.113.5:24747"));
  CHECK_FALSE(dials("10.0.0.9:1023"));
  CHECK_FALSE(dials("10.0.0.9:0"));
  CHECK_FALSE(dials("0.0.0.0:24747"));
  CHECK_FALSE(dials("224.0.0.251:5353"));
  CHECK_FALSE(dials("255.255.255.255:24747"));
  CHECK_FALSE(dials("[ff02::fb]:5353"));
  CHECK_FALSE(dials("127.0.0.1:24747"));
  CHECK_FALSE(dials("[::1]:24747"));
  CHECK(dials("127.0.0.1:24747", "127.0.0.1:9"));
}

TEST_CASE("Addresses of third parties in a Hello are not learned, and the number of all is bounded") {
  SessionMachine machine;
  protocol::Hello hello = machine.hello(9);
  hello.addresses = {"203.0.113.5:24747", "127.0.0.1:24747", "10.0.0.9:80", "192.168.1.4:24747"};
  machine.receive(machine.open(9), hello);
  const auto& addresses = machine.table.find(id_of(9))->addresses;
  std::vector<std::string> texts;
  for (const net::SocketAddress& address : addresses) texts.push_back(address.to_string());
  CHECK(texts == std::vector<std::string>{"10.0.0.9:24747", "192.168.1.4:24747"});
  hello.addresses.clear();
  for (int i = 0; i < 32; ++i)
    hello.addresses.push_back("10.0.1." + std::to_string(i) + ":" + std::to_string(2000 + i));
  machine.receive(machine.open(9), hello);
  CHECK(machine.table.find(id_of(9))->addresses.size() == protocol::kMaxAddressesPerPeer);
}
