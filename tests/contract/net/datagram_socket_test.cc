// The contract of DatagramSocket: the simulated one on the manual executor, the real one on libuv.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "libpeer/net/udp_socket.h"
#include "support/net/has_ipv6.h"
#include "support/net/recorder.h"
#include "support/net/sim_network.h"
#include "support/run_task.h"

using peer::net::DatagramSocket;
using peer::net::Ecn;
using peer::net::SendStatus;
using peer::net::SocketAddress;
using peer::test::Recorder;
namespace net = peer::net;
namespace runtime = peer::runtime;

namespace {

/// Where sockets can be bound, and the loop that they use.
struct Place {
  runtime::Executor* executor;
  bool v6;
  std::function<std::unique_ptr<DatagramSocket>(const SocketAddress&)> bind_at;

  std::unique_ptr<DatagramSocket> bind() const {
    return bind_at(*SocketAddress::parse(v6 ? "[::1]:0" : "127.0.0.1:0"));
  }
};

using Scenario = runtime::Task<void> (*)(const Place&);

void in_simulation(Scenario scenario, bool v6, bool gso) {
  runtime::ManualExecutor executor;
  peer::test::SimNetwork network(executor, 1);
  peer::test::LinkConditions loopback;
  loopback.interface_mtu = 65535;
  network.set_conditions(loopback);
  network.set_max_segments(gso ? 64 : 1);
  const Place place{&executor, v6, [&](const SocketAddress& address) { return network.bind(address); }};
  peer::test::run_task(executor, scenario(place));
}

void on_the_machine(Scenario scenario, bool v6, bool gso) {
  runtime::UvExecutor executor;
  net::UdpOptions options;
  options.gso = options.gro = gso;
  const Place place{&executor, v6, [&](const SocketAddress& address) {
                      auto socket = net::bind_udp(executor, address, peer::Log(), options);
                      REQUIRE(socket);
                      return std::move(*socket);
                    }};
  executor.run(scenario(place));
}

void everywhere(Scenario scenario) {
  for (const bool v6 : {false, true}) {
    for (const bool gso : {true, false}) {
      const std::string name = std::string(v6 ? "IPv6" : "IPv4") + (gso ? ", with GSO" : ", without GSO");
      DYNAMIC_SECTION("simulated, " << name) { in_simulation(scenario, v6, gso); }
      if (v6 && !peer::test::has_ipv6()) continue;
      DYNAMIC_SECTION("real, " << name) { on_the_machine(scenario, v6, gso); }
    }
  }
}

/// Two sockets that receive.
struct Pair {
  explicit Pair(const Place& place) : a(place.bind()), b(place.bind()) {
    a->start(seen_by_a);
    b->start(seen_by_b);
  }
  runtime::Task<void> close() {
    co_await a->close();
    co_await b->close();
  }
  std::unique_ptr<DatagramSocket> a, b;
  Recorder seen_by_a, seen_by_b;
};

std::vector<std::uint8_t> counting(std::size_t size, std::uint8_t first = 0) {
  std::vector<std::uint8_t> data(size);
  std::iota(data.begin(), data.end(), first);
  return data;
}

/// Uses as few sends as the socket allows.
void send_all(DatagramSocket& socket, const SocketAddress& to, std::span<const std::uint8_t> data,
              std::size_t segment) {
  const std::size_t most = std::min(socket.max_segments() * segment, net::kMaxSend / segment * segment);
  while (!data.empty()) {
    const auto part = data.first(std::min(most, data.size()));
    CHECK(socket.send({}, to, Ecn::not_ect, part, segment) == SendStatus::sent);
    data = data.subspan(part.size());
  }
}

std::vector<std::uint8_t> joined(const Recorder& recorder) {
  std::vector<std::uint8_t> all;
  for (const auto& datagram : recorder.datagrams) all.insert(all.end(), datagram.data.begin(), datagram.data.end());
  return all;
}

// -- scenarios --------------------------------------------------------------------------------------------------------

runtime::Task<void> addresses_arrive(const Place& place) {
  Pair pair(place);
  CHECK(pair.a->local_address().port() != 0);
  CHECK(pair.a->local_address().is_v4() != place.v6);
  send_all(*pair.a, pair.b->local_address(), counting(5), 5);
  co_await pair.seen_by_b.expect_datagrams(*place.executor, 1);
  const auto& datagram = pair.seen_by_b.datagrams.at(0);
  CHECK(datagram.remote == pair.a->local_address());
  CHECK(datagram.local == pair.b->local_address());
  CHECK(datagram.data == counting(5));
  const auto answer = counting(3, 100);
  CHECK(pair.b->send(datagram.local, datagram.remote, Ecn::not_ect, answer, 3) == SendStatus::sent);
  co_await pair.seen_by_a.expect_datagrams(*place.executor, 1);
  CHECK(pair.seen_by_a.datagrams.at(0).remote == pair.b->local_address());
  CHECK(pair.seen_by_a.datagrams.at(0).data == answer);
  co_await pair.close();
}

runtime::Task<void> segments_are_split(const Place& place) {
  Pair pair(place);
  const auto data = counting(1237);
  send_all(*pair.a, pair.b->local_address(), data, 100);
  CHECK(pair.seen_by_b.datagrams.empty());  // never inside send()
  co_await pair.seen_by_b.expect_datagrams(*place.executor, 13);
  CHECK(joined(pair.seen_by_b) == data);
  for (std::size_t i = 0; i < 12; ++i) CHECK(pair.seen_by_b.datagrams.at(i).data.size() == 100);
  CHECK(pair.seen_by_b.datagrams.at(12).data.size() == 37);
  CHECK(pair.a->stats().datagrams_out == 13);
  CHECK(pair.a->stats().bytes_out == 1237);
  CHECK(pair.b->stats().datagrams_in == 13);
  CHECK(pair.b->stats().bytes_in == 1237);
  co_await pair.close();
}

runtime::Task<void> bursts_are_ordered_and_bounded(const Place& place) {
  Pair pair(place);
  std::vector<std::uint8_t> sent;
  std::size_t datagrams = 0;
  for (std::uint8_t round = 0; round < 20; ++round) {
    const auto data = counting(54 * 1200, round);
    sent.insert(sent.end(), data.begin(), data.end());
    datagrams += 54;
    send_all(*pair.a, pair.b->local_address(), data, 1200);
    if (round % 2 == 1) co_await pair.seen_by_b.expect_datagrams(*place.executor, datagrams);
  }
  CHECK(joined(pair.seen_by_b) == sent);
  std::size_t in_bursts = 0;
  for (const std::size_t burst : pair.seen_by_b.bursts) {
    CHECK(burst > 0);
    CHECK(burst <= net::kDatagramsPerTurn);
    in_bursts += burst;
  }
  CHECK(in_bursts == datagrams);
  co_await pair.close();
}

runtime::Task<void> ecn_arrives(const Place& place) {
  Pair pair(place);
  const auto data = counting(40);
  const std::vector<Ecn> marks{Ecn::not_ect, Ecn::ect0, Ecn::ect1, Ecn::ce};
  for (const Ecn mark : marks) CHECK(pair.a->send({}, pair.b->local_address(), mark, data, 40) == SendStatus::sent);
  co_await pair.seen_by_b.expect_datagrams(*place.executor, marks.size());
  for (std::size_t i = 0; i < marks.size(); ++i) CHECK(pair.seen_by_b.datagrams.at(i).ecn == marks[i]);
  co_await pair.close();
}

runtime::Task<void> empty_and_largest_datagrams(const Place& place) {
  Pair pair(place);
  std::size_t count = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1472}, std::size_t{9000}, net::kMaxSend}) {
    const auto data = counting(size);
    CHECK(pair.a->send({}, pair.b->local_address(), Ecn::not_ect, data, net::kMaxSend) == SendStatus::sent);
    co_await pair.seen_by_b.expect_datagrams(*place.executor, ++count);
    CHECK(pair.seen_by_b.datagrams.back().data == data);
  }
  co_await pair.close();
}

runtime::Task<void> closed_port_loses(const Place& place) {
  Pair pair(place);
  const SocketAddress gone = pair.b->local_address();
  co_await pair.b->close();
  for (int i = 0; i < 5; ++i) send_all(*pair.a, gone, counting(10), 10);
  send_all(*pair.a, pair.a->local_address(), counting(10), 10);
  co_await pair.seen_by_a.expect_datagrams(*place.executor, 1);
  CHECK_FALSE(pair.seen_by_a.error);
  co_await pair.a->close();
}

runtime::Task<void> close_releases_the_port(const Place& place) {
  Pair pair(place);
  const SocketAddress address = pair.b->local_address();
  send_all(*pair.a, address, counting(10), 10);
  co_await pair.b->close();
  const std::size_t seen = pair.seen_by_b.datagrams.size();
  CHECK(pair.b->send({}, pair.a->local_address(), Ecn::not_ect, counting(4), 4) == SendStatus::sent);
  const auto again = place.bind_at(address);
  Recorder recorder;
  again->start(recorder);
  send_all(*pair.a, address, counting(7), 7);
  co_await recorder.expect_datagrams(*place.executor, 1);
  CHECK(recorder.datagrams.back().data == counting(7));
  CHECK(pair.seen_by_b.datagrams.size() == seen);
  CHECK(pair.seen_by_a.datagrams.empty());
  co_await again->close();
  co_await pair.a->close();
}

runtime::Task<void> unstarted_sockets_need_no_close(const Place& place) {
  const auto dropped = place.bind();
  const auto closed = place.bind();
  co_await closed->close();
}

}  // namespace

TEST_CASE("A datagram carries its source and destination") { everywhere(addresses_arrive); }
TEST_CASE("Each segment arrives as a datagram") { everywhere(segments_are_split); }
TEST_CASE("Bursts are ordered, complete and bounded") { everywhere(bursts_are_ordered_and_bounded); }
TEST_CASE("ECN marks arrive") { everywhere(ecn_arrives); }
TEST_CASE("Empty and largest datagrams arrive") { everywhere(empty_and_largest_datagrams); }
TEST_CASE("A datagram to a closed port is lost without an error") { everywhere(closed_port_loses); }
TEST_CASE("Closing with data in flight releases the port") { everywhere(close_releases_the_port); }
TEST_CASE("A socket that was never started need not be closed") { everywhere(unstarted_sockets_need_no_close); }
