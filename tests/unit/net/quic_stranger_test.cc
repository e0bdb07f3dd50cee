// Datagrams of unknown or former connections.
#include <catch2/catch_test_macros.hpp>

#include "libpeer/net/datagram_socket.h"
#include "quic_pair.h"
#include "support/net/recorder.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

runtime::Task<void> get_once(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto getting = get(*link, "/get?size=500000");
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  CHECK(reply->body == 500'000);
}

runtime::Task<void> forget_and_restart(SimPair& sim, QuicPair& pair) {
  const net::Identity identity = new_identity();
  const auto tune = [&identity](net::EndpointOptions& options) { options.identity = identity; };
  const net::SocketAddress address = sim_address(3);
  std::unique_ptr<net::Link> link;
  {
    runtime::Scope scope(pair.scope, "before");
    QuicHost host(scope, sim.network.bind(address), 31, tune);
    host.serve(&test_handler);
    auto dialing = pair.client.endpoint().dial(address, identity.id(), kNever);
    auto dialed = co_await dialing;
    REQUIRE(dialed.has_value());
    link = std::move(*dialed);
    auto getting = get(*link, "/get?size=10");
    CHECK((co_await getting).has_value());
    sim.network.cut(address);  // power off
    auto stop = host.stop();
    co_await stop;
    auto join = scope.join();
    co_await join;
  }
  sim.network.restore(address);
  runtime::Scope scope(pair.scope, "after");
  QuicHost host(scope, sim.network.bind(address), 32, tune);
  host.serve(&test_handler);
  const runtime::TimePoint start = pair.executor.now();
  auto getting = get(*link, "/get?size=10");
  CHECK(!(co_await getting).has_value());
  auto ending = link->ended(kNever);
  const Error error = co_await ending;
  CHECK(error.code == ErrorCode::unreachable);
  CHECK(pair.executor.now() - start < 1s);  // well before the idle timeout
  auto stop = host.stop();
  co_await stop;
  auto join = scope.join();
  co_await join;
}

// Sends datagrams of every kind to the server, and counts the answers.
runtime::Task<void> throw_junk(SimPair& sim, QuicPair& pair) {
  Recorder recorder;
  const std::unique_ptr<net::DatagramSocket> socket = sim.network.bind(sim_address(9));
  socket->start(recorder);
  const auto random = seeded_random(99);
  std::size_t sent = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::uint8_t> data(random->below(1400) + (i % 7 == 0 ? 0 : 1));
    random->fill(data);
    if (!data.empty() && i % 3 == 0) data[0] |= 0xc0;  // a long header
    if (data.size() > 5 && i % 6 == 0) {               // of version 1, an Initial
      data[0] = static_cast<std::uint8_t>(0xc0U | (data[0] & 0x0fU));
      data[1] = data[2] = data[3] = 0;
      data[4] = 1;
      data[5] = 8;
    }
    sent += data.size();
    socket->send({}, pair.server.address(), net::Ecn::not_ect, data, std::max<std::size_t>(data.size(), 1));
    if (i % 50 == 0) {
      auto sleeping = runtime::sleep_for(pair.executor, 1ms, kNever);
      co_await sleeping;
    }
  }
  auto getting = get_once(pair);
  co_await getting;
  auto sleeping = runtime::sleep_for(pair.executor, 10s, kNever);
  co_await sleeping;
  std::size_t received = 0;
  for (const auto& datagram : recorder.datagrams) received += datagram.data.size();
  CHECK(received <= 3 * sent);
  CHECK(pair.server.endpoint().stats().connections == 0);
  co_await socket->close();
}

runtime::Task<void> unknown_version(SimPair& sim, QuicPair& pair) {
  Recorder recorder;
  const std::unique_ptr<net::DatagramSocket> socket = sim.network.bind(sim_address(9));
  socket->start(recorder);
  std::vector<std::uint8_t> data(1200);
  data[0] = 0xc0;
  data[1] = 0x1a;
  data[2] = data[3] = data[4] = 0x2a;
  data[5] = 8;
  data[14] = 8;
  socket->send({}, pair.server.address(), net::Ecn::not_ect, data, data.size());
  auto waiting = recorder.expect_datagrams(pair.executor, 1);
  co_await waiting;
  const std::vector<std::uint8_t>& answer = recorder.datagrams.at(0).data;
  REQUIRE(answer.size() > 5);
  CHECK(std::vector<std::uint8_t>(answer.begin() + 1, answer.begin() + 5) == std::vector<std::uint8_t>{0, 0, 0, 0});
  co_await socket->close();
}

}  // namespace

TEST_CASE("With many half-open connections, new clients must prove their address") {
  SimPair sim;
  QuicTest test{&get_once, &test_handler};
  test.tune_server = [](net::EndpointOptions& options) { options.half_open = 0; };
  SECTION("clean") {}
  SECTION("with loss") {
    LinkConditions conditions;
    conditions.loss = 0.1;
    sim.network.set_conditions(conditions);
  }
  sim.run(test);
}

TEST_CASE("A restarted peer ends its former connections") {
  SimPair sim;
  sim.run({[&sim](QuicPair& pair) { return forget_and_restart(sim, pair); }, &test_handler});
}

TEST_CASE("Junk is dropped without state and without amplification") {
  SimPair sim;
  sim.run({[&sim](QuicPair& pair) { return throw_junk(sim, pair); }, &test_handler});
}

TEST_CASE("A client with an unknown version gets a version negotiation") {
  SimPair sim;
  sim.run({[&sim](QuicPair& pair) { return unknown_version(sim, pair); }, &test_handler});
}

TEST_CASE("Damaged datagrams count as lost") {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8}) {
    INFO("seed " << seed);
    SimPair sim(seed);
    const auto random = seeded_random(seed);
    sim.network.set_filter(
        [&random](const net::SocketAddress&, const net::SocketAddress&, std::vector<std::uint8_t>& data) {
          if (random->below(20) != 0 || data.empty()) return true;
          data[random->below(data.size())] ^= static_cast<std::uint8_t>(1 + random->below(255));
          if (random->below(4) == 0) data.resize(random->below(data.size()));
          return true;
        });
    sim.run({&get_once, &test_handler});
  }
}
