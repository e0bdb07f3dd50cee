// The faults of the simulated network. tests/contract/net tests what it has in common with real sockets.
#include "support/net/sim_network.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/net/recorder.h"
#include "support/run_task.h"

using namespace std::chrono_literals;
using peer::net::Ecn;
using peer::net::SendStatus;
using peer::net::SocketAddress;
using peer::test::LinkConditions;
using peer::test::Recorder;
using peer::test::SimNetwork;
namespace runtime = peer::runtime;

namespace {

struct Lan {
  runtime::ManualExecutor executor;
  SimNetwork network;
  SocketAddress a = *SocketAddress::parse("10.0.0.1:1000");
  SocketAddress b = *SocketAddress::parse("10.0.0.2:2000");
  std::unique_ptr<peer::net::DatagramSocket> at_a, at_b;
  Recorder seen_by_a, seen_by_b;

  explicit Lan(std::uint64_t seed = 1) : network(executor, seed), at_a(network.bind(a)), at_b(network.bind(b)) {
    at_a->start(seen_by_a);
    at_b->start(seen_by_b);
  }
  ~Lan() {
    peer::test::run_sync(executor, at_a->close());
    peer::test::run_sync(executor, at_b->close());
    CHECK(executor.timers() == 0);
  }
  SendStatus send(std::size_t size, std::uint8_t mark = 0, Ecn ecn = Ecn::ect0) {
    const std::vector<std::uint8_t> data(size, mark);
    return at_a->send({}, b, ecn, data, size);
  }
  void send_many(std::size_t count, std::size_t size = 100) {
    for (std::size_t i = 0; i < count; ++i) REQUIRE(send(size, static_cast<std::uint8_t>(i)) == SendStatus::sent);
  }
  std::vector<int> marks() const {
    std::vector<int> result;
    for (const auto& datagram : seen_by_b.datagrams) result.push_back(datagram.data.at(0));
    return result;
  }
};

LinkConditions with(void (*change)(LinkConditions&)) {
  LinkConditions conditions;
  change(conditions);
  return conditions;
}

}  // namespace

TEST_CASE("A simulated datagram arrives after the link's delay") {
  Lan lan;
  lan.network.set_conditions(with([](LinkConditions& c) { c.delay = 3ms; }));
  lan.send_many(1);
  lan.executor.advance(2999us);
  CHECK(lan.seen_by_b.datagrams.empty());
  lan.executor.advance(1us);
  CHECK(lan.seen_by_b.datagrams.size() == 1);
}

TEST_CASE("Jitter keeps the order of datagrams, reordering does not") {
  Lan lan;
  lan.network.set_conditions(with([](LinkConditions& c) { c.jitter = 5ms; }));
  lan.send_many(200);
  lan.executor.advance(1s);
  CHECK(std::ranges::is_sorted(lan.marks()));
  CHECK(lan.marks().size() == 200);
  lan.seen_by_b.datagrams.clear();
  lan.network.set_conditions(with([](LinkConditions& c) { c.reorder = 0.1; }));
  lan.send_many(200);
  lan.executor.advance(1s);
  CHECK_FALSE(std::ranges::is_sorted(lan.marks()));
  CHECK(lan.marks().size() == 200);
}

TEST_CASE("The same seed loses the same datagrams, another seed loses others") {
  const auto lossy = [](std::uint64_t seed) {
    Lan lan(seed);
    lan.network.set_conditions(with([](LinkConditions& c) {
      c.loss = 0.2;
      c.duplicate = 0.1;
      c.reorder = 0.1;
      c.jitter = 1ms;
    }));
    lan.send_many(250);
    lan.executor.advance(1s);
    CHECK(lan.network.stats().lost > 20);
    CHECK(lan.network.stats().lost < 90);
    CHECK(lan.network.stats().duplicated > 5);
    return lan.marks();
  };
  CHECK(lossy(7) == lossy(7));
  CHECK(lossy(7) != lossy(8));
}

TEST_CASE("Loss in one direction does not affect the other") {
  Lan lan;
  lan.network.set_conditions(lan.a, lan.b, with([](LinkConditions& c) { c.loss = 1; }));
  lan.send_many(10);
  const std::vector<std::uint8_t> data(10);
  CHECK(lan.at_b->send({}, lan.a, Ecn::not_ect, data, 10) == SendStatus::sent);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.datagrams.empty());
  CHECK(lan.seen_by_a.datagrams.size() == 1);
  lan.network.clear_conditions(lan.a, lan.b);
  lan.send_many(1);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.datagrams.size() == 1);
}

TEST_CASE("Limited bandwidth delays datagrams, and its queue is bounded") {
  Lan lan;
  lan.network.set_conditions(with([](LinkConditions& c) {
    c.bandwidth = 1'000'000;
    c.queue = 20'000;
  }));
  lan.send_many(50, 972);  // 1,000 bytes with headers: 1 ms each, 20 fit
  lan.executor.advance(10ms + 150us);
  CHECK(lan.seen_by_b.datagrams.size() == 10);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.datagrams.size() == 20);
  CHECK(lan.network.stats().queue_dropped == 30);
}

TEST_CASE("The interface rejects datagrams that are too big, the path drops them") {
  Lan lan;
  lan.network.set_conditions(with([](LinkConditions& c) { c.path_mtu = 1400; }));
  CHECK(lan.send(1473) == SendStatus::too_big);
  CHECK(lan.send(1472) == SendStatus::sent);
  CHECK(lan.send(1372) == SendStatus::sent);
  lan.executor.advance(1s);
  REQUIRE(lan.seen_by_b.datagrams.size() == 1);
  CHECK(lan.seen_by_b.datagrams[0].data.size() == 1372);
  CHECK(lan.network.stats().mtu_dropped == 1);
}

TEST_CASE("Datagrams flow again after a partition or a cut") {
  Lan lan;
  lan.network.partition(lan.b, lan.a);
  lan.send_many(1);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.datagrams.empty());
  lan.network.heal(lan.a, lan.b);
  lan.send_many(1);
  lan.network.cut(lan.b);  // also drops datagrams in flight
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.datagrams.empty());
  lan.network.restore(lan.b);
  lan.send_many(1);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.datagrams.size() == 1);
}

TEST_CASE("A filter sees, changes and drops datagrams") {
  Lan lan;
  lan.network.set_filter([](const SocketAddress&, const SocketAddress&, std::vector<std::uint8_t>& data) {
    data.back() = 99;
    return data[0] != 3;
  });
  lan.send_many(5);
  lan.executor.advance(1s);
  CHECK(lan.marks() == std::vector<int>{0, 1, 2, 4});
  CHECK(lan.seen_by_b.datagrams[0].data.back() == 99);
}

TEST_CASE("A blocked send is followed by one on_writable") {
  Lan lan;
  lan.network.block_sends(lan.a);
  CHECK(lan.send(10) == SendStatus::would_block);
  CHECK(lan.send(10) == SendStatus::would_block);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_a.writable == 0);
  lan.network.allow_sends(lan.a);
  CHECK(lan.seen_by_a.writable == 0);  // never inside send()
  lan.executor.advance(1s);
  CHECK(lan.seen_by_a.writable == 1);
  CHECK(lan.send(10) == SendStatus::sent);
  lan.network.set_would_block(1);
  CHECK(lan.send(10) == SendStatus::would_block);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_a.writable == 2);
  CHECK(lan.seen_by_b.datagrams.size() == 1);
}

TEST_CASE("Congestion marks only ECN-capable datagrams") {
  Lan lan;
  lan.network.set_conditions(with([](LinkConditions& c) { c.congestion_marks = 1; }));
  lan.send(10, 0, Ecn::ect0);
  lan.send(10, 0, Ecn::not_ect);
  lan.executor.advance(1s);
  REQUIRE(lan.seen_by_b.datagrams.size() == 2);
  CHECK(lan.seen_by_b.datagrams[0].ecn == Ecn::ce);
  CHECK(lan.seen_by_b.datagrams[1].ecn == Ecn::not_ect);
}

TEST_CASE("A burst is limited to a turn's budget, and the rest arrives later") {
  Lan lan;
  lan.network.set_conditions(with([](LinkConditions& c) { c.delay = 1ms; }));
  lan.send_many(700, 20);
  lan.executor.advance(1s);
  CHECK(lan.seen_by_b.bursts == std::vector<std::size_t>{256, 256, 188});
}

TEST_CASE("Port 0 binds a free port") {
  Lan lan;
  const auto one = lan.network.bind(lan.a.with_port(0));
  const auto two = lan.network.bind(lan.a.with_port(0));
  CHECK(one->local_address() != two->local_address());
  CHECK(one->local_address().port() != 0);
}
