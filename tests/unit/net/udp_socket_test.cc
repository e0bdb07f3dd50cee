// Behavior of the real socket alone. tests/contract/net tests what it has in common with the simulated one.
#include "libpeer/net/udp_socket.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "support/net/has_ipv6.h"
#include "support/net/private_network.h"
#include "support/net/recorder.h"
#include "support/run_task.h"

using peer::net::bind_udp;
using peer::net::DatagramSocket;
using peer::net::Ecn;
using peer::net::SendStatus;
using peer::net::SocketAddress;
using peer::net::UdpOptions;
using peer::test::PrivateNetwork;
using peer::test::Recorder;
namespace runtime = peer::runtime;

namespace {

const SocketAddress kV4 = *SocketAddress::parse("127.0.0.1:0");
const SocketAddress kV6 = *SocketAddress::parse("[::1]:0");
const SocketAddress kBoth = *SocketAddress::parse("[::]:0");

std::unique_ptr<DatagramSocket> bind_or_fail(runtime::UvExecutor& executor, const SocketAddress& address,
                                             const UdpOptions& options = {}) {
  auto socket = bind_udp(executor, address, peer::Log(), options);
  REQUIRE(socket);
  return std::move(*socket);
}

std::vector<std::uint8_t> counting(std::size_t size, std::uint8_t first = 0) {
  std::vector<std::uint8_t> data(size);
  std::iota(data.begin(), data.end(), first);
  return data;
}

/// The file descriptor of the socket bound to this port.
int descriptor_of(std::uint16_t port) {
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) continue;
    if (SocketAddress::from_native(reinterpret_cast<sockaddr*>(&name), length).port() == port) return fd;
  }
  return -1;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  getsockopt(fd, level, name, &value, &length);
  return value;
}

}  // namespace

TEST_CASE("The error for a port in use names it and says what to do") {
  runtime::UvExecutor executor;
  const auto first = bind_or_fail(executor, kV4);
  const auto second = bind_udp(executor, first->local_address(), peer::Log());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == peer::ErrorCode::invalid);
  CHECK(second.error().system == EADDRINUSE);
  CHECK(second.error().message.contains(first->local_address().to_string()));
  CHECK(second.error().message.contains("another port"));
  const auto both = bind_udp(executor, kBoth.with_port(first->local_address().port()), peer::Log());
  REQUIRE_FALSE(both);
  CHECK(both.error().system == EADDRINUSE);
}

namespace {
/// `early` was bound before the interface got its address, which it has now.
runtime::Task<void> meet(runtime::UvExecutor& executor, DatagramSocket& early) {
  const SocketAddress address = early.local_address();
  const auto other = bind_or_fail(executor, address.with_port(0));
  Recorder at_early;
  Recorder at_other;
  early.start(at_early);
  other->start(at_other);
  CHECK(other->send({}, address, Ecn::not_ect, counting(100), 100) == SendStatus::sent);
  co_await at_early.expect_datagrams(executor, 1);
  CHECK(early.send({}, other->local_address(), Ecn::not_ect, counting(50), 50) == SendStatus::sent);
  co_await at_other.expect_datagrams(executor, 1);
  co_await early.close();
  co_await other->close();
}
}  // namespace

TEST_CASE("An address that no interface has yet can be bound, and works once an interface has it") {
  PrivateNetwork network;
  if (!network.entered() || !network.run("ip -V")) SKIP("needs a network namespace and iproute2");
  struct Case {
    const char* socket;
    const char* interface;
  };
  for (const auto& [text, given] :
       {Case{"10.99.0.1:24747", "10.99.0.1/24"}, Case{"[fd00:99::1]:24747", "fd00:99::1/64 nodad"}}) {
    CAPTURE(text);
    if (text[0] == '[' && !peer::test::has_ipv6()) continue;
    runtime::UvExecutor executor;
    const SocketAddress address = *SocketAddress::parse(text);
    std::vector<std::string> warnings;
    const auto keep = [&](peer::LogLevel level, std::string_view, const std::string& line, const peer::LogFields&) {
      if (level == peer::LogLevel::warn) warnings.push_back(line);
    };
    const peer::Log log(keep, "net");
    CHECK_FALSE(peer::net::owns_address(address));
    const auto early = bind_udp(executor, address, log);
    REQUIRE(early);
    CHECK((*early)->local_address() == address);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].contains(address.to_string()));
    const auto again = bind_udp(executor, address, log);
    REQUIRE_FALSE(again);
    CHECK(again.error().system == EADDRINUSE);
    CHECK((*early)->send({}, address.with_port(9), Ecn::not_ect, counting(10), 10) == SendStatus::sent);  // lost

    REQUIRE(network.run(std::string("ip addr add ") + given + " dev lo"));
    CHECK(peer::net::owns_address(address));
    executor.run(meet(executor, **early));
    CHECK(warnings.size() == 1);
  }
}

TEST_CASE("The descriptor has the options that QUIC needs") {
  runtime::UvExecutor executor;
  UdpOptions options;
  options.buffer = 64 << 10;
  const auto socket = bind_or_fail(executor, kBoth, options);
  const int fd = descriptor_of(socket->local_address().port());
  REQUIRE(fd >= 0);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(option(fd, IPPROTO_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_PROBE);
  if (!socket->local_address().is_v4()) {
    CHECK(option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER) == IPV6_PMTUDISC_PROBE);
    CHECK(option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
  }
  CHECK(socket->stats().receive_buffer == 64 << 10);
  CHECK(socket->stats().send_buffer == 64 << 10);
}

namespace {
runtime::Task<void> dual_stack(runtime::UvExecutor& executor) {
  const auto server = bind_or_fail(executor, kBoth);
  Recorder at_server;
  server->start(at_server);
  std::size_t count = 0;
  for (const SocketAddress& address : {kV4, kV6}) {
    if (!address.is_v4() && !peer::test::has_ipv6()) continue;
    const auto client = bind_or_fail(executor, address);
    Recorder at_client;
    client->start(at_client);
    const SocketAddress target = address.with_port(server->local_address().port());
    CHECK(client->send({}, target, Ecn::ect0, counting(300), 100) == SendStatus::sent);
    count += 3;
    co_await at_server.expect_datagrams(executor, count);
    const auto& datagram = at_server.datagrams.back();
    CHECK(datagram.remote == client->local_address());
    CHECK(datagram.local == target);
    CHECK(datagram.ecn == Ecn::ect0);
    CHECK(server->send(datagram.local, datagram.remote, Ecn::ce, counting(200), 100) == SendStatus::sent);
    co_await at_client.expect_datagrams(executor, 2);
    CHECK(at_client.datagrams.back().remote == target);
    CHECK(at_client.datagrams.back().ecn == Ecn::ce);
    co_await client->close();
  }
  co_await server->close();
}
}  // namespace

TEST_CASE("One socket uses both address families") {
  runtime::UvExecutor executor;
  executor.run(dual_stack(executor));
}

TEST_CASE("[::] listens on IPv4 if IPv6 is disabled") {
  PrivateNetwork network;
  if (!network.entered()) SKIP("needs the privilege to create a network namespace");
  network.run("sysctl -w net.ipv6.conf.all.disable_ipv6=1");
  if (peer::test::has_ipv6()) SKIP("needs sysctl");
  runtime::UvExecutor executor;
  executor.run(dual_stack(executor));
}

namespace {
runtime::Task<void> chosen_source(runtime::UvExecutor& executor) {
  const auto server = bind_or_fail(executor, *SocketAddress::parse("0.0.0.0:0"));
  const auto client = bind_or_fail(executor, kV4);
  Recorder at_client;
  client->start(at_client);
  const SocketAddress source = *SocketAddress::parse("127.0.0.9:0");
  CHECK(server->send(source, client->local_address(), Ecn::not_ect, counting(9), 9) == SendStatus::sent);
  co_await at_client.expect_datagrams(executor, 1);
  CHECK(at_client.datagrams.at(0).remote == source.with_port(server->local_address().port()));
  // A source address that this machine does not have loses the datagram, and does not disable GSO.
  const bool gso = server->stats().gso;
  const SocketAddress foreign = *SocketAddress::parse("203.0.113.9:0");
  CHECK(server->send(foreign, client->local_address(), Ecn::not_ect, counting(9), 3) == SendStatus::sent);
  CHECK(server->stats().gso == gso);
  CHECK(server->stats().datagrams_out == 1);
  // The same holds for a destination that an IPv4 socket cannot reach.
  CHECK(server->send({}, kV6.with_port(9), Ecn::not_ect, counting(9), 9) == SendStatus::sent);
  co_await client->close();
}
}  // namespace

TEST_CASE("The source address can be chosen") {
  runtime::UvExecutor executor;
  executor.run(chosen_source(executor));
}

namespace {
runtime::Task<void> gso_refused(runtime::UvExecutor& executor) {
  const auto a = bind_or_fail(executor, kV4);
  const auto b = bind_or_fail(executor, kV4);
  Recorder at_b;
  b->start(at_b);
  const int yes = 1;  // GSO fails with EINVAL on sockets without checksums
  CHECK(setsockopt(descriptor_of(a->local_address().port()), SOL_SOCKET, SO_NO_CHECK, &yes, sizeof yes) == 0);
  CHECK(a->max_segments() > 1);
  CHECK(a->send({}, b->local_address(), Ecn::not_ect, counting(950), 100) == SendStatus::sent);
  CHECK(a->max_segments() == 1);
  CHECK_FALSE(a->stats().gso);
  // A send with several segments, prepared before GSO was disabled, still works.
  CHECK(a->send({}, b->local_address(), Ecn::not_ect, counting(250), 100) == SendStatus::sent);
  co_await at_b.expect_datagrams(executor, 13);
  CHECK(at_b.datagrams.at(9).data.size() == 50);
  CHECK(at_b.datagrams.at(12).data.size() == 50);
  CHECK(a->stats().datagrams_out == 13);
  co_await b->close();
}
}  // namespace

TEST_CASE("If GSO fails, it is disabled and segments are sent one by one") {
  runtime::UvExecutor executor;
  if (bind_or_fail(executor, kV4)->max_segments() == 1) SKIP("this kernel has no GSO for UDP");
  executor.run(gso_refused(executor));
}

namespace {
runtime::Task<void> above_the_mtu(runtime::UvExecutor& executor) {
  const auto a = bind_or_fail(executor, kV4);
  const auto b = bind_or_fail(executor, kV4);
  Recorder at_b;
  b->start(at_b);
  const std::size_t segments = a->max_segments();
  CHECK(a->send({}, b->local_address(), Ecn::not_ect, counting(1473), 1473) == SendStatus::too_big);
  CHECK(a->send({}, b->local_address(), Ecn::not_ect, counting(1472), 1472) == SendStatus::sent);
  if (segments > 1) {
    CHECK(a->send({}, b->local_address(), Ecn::not_ect, counting(4500), 1500) == SendStatus::too_big);
    CHECK(a->send({}, b->local_address(), Ecn::not_ect, counting(4400), 1472) == SendStatus::sent);
  }
  CHECK(a->max_segments() == segments);
  co_await at_b.expect_datagrams(executor, segments > 1 ? 4 : 1);
  co_await b->close();
}

runtime::Task<void> blocked_sender(runtime::UvExecutor& executor, UdpOptions options) {
  const auto a = bind_or_fail(executor, kV4, options);
  const auto b = bind_or_fail(executor, kV4);
  Recorder at_a;
  Recorder at_b;
  a->start(at_a);
  b->start(at_b);
  std::size_t blocked = 0;
  for (std::uint8_t i = 0; i < 100; ++i) {
    const auto data = counting(1000, i);
    while (a->send({}, b->local_address(), Ecn::not_ect, data, 1000) == SendStatus::would_block) {
      ++blocked;
      auto writable = [&] { return at_a.writable == blocked; };
      const bool came = co_await at_a.until(executor, writable);
      CHECK(came);
      if (!came) break;
    }
  }
  co_await at_b.expect_datagrams(executor, 100);
  CHECK(blocked > 0);
  CHECK(at_a.writable == blocked);
  for (std::uint8_t i = 0; i < 100; ++i) CHECK(at_b.datagrams.at(i).data == counting(1000, i));
  co_await a->close();
  co_await b->close();
}
}  // namespace

TEST_CASE("A segment above the interface's MTU is too big, and GSO stays enabled") {
  PrivateNetwork network;
  if (!network.entered()) SKIP("needs the privilege to create a network namespace");
  network.set_loopback(1500);
  runtime::UvExecutor executor;
  executor.run(above_the_mtu(executor));
}

TEST_CASE("A full send buffer blocks until the socket is writable") {
  PrivateNetwork network;
  if (!network.entered()) SKIP("needs the privilege to create a network namespace");
  if (!network.run("tc qdisc add dev lo root tbf rate 20mbit burst 8kb limit 10mb")) SKIP("needs tc and its tbf queue");
  runtime::UvExecutor executor;
  UdpOptions options;
  options.buffer = 16 << 10;
  executor.run(blocked_sender(executor, options));
}
