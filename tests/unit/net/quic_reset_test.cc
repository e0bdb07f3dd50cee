// Clients that cancel requests in a loop.
#include <catch2/catch_test_macros.hpp>

#include "libpeer/net/limits.h"
#include "quic_pair.h"
#include "support/net/hostile_client.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;
constexpr std::uint64_t kExcessiveLoad = 0x107;  // RFC 9114

struct CancelCount {
  int begun = 0, cancelled = 0;
};

runtime::Task<void> count_handler(CancelCount& count, net::ServerStream& stream, runtime::CancellationToken token) {
  if (stream.request().path.starts_with("/get")) {
    auto handling = test_handler(stream, token);
    co_await handling;
    co_return;
  }
  ++count.begun;
  runtime::Event never;
  try {
    co_await never.wait(token);
  } catch (const runtime::Cancelled&) {
    ++count.cancelled;
  }
}

// One connection after another begins and resets requests, eight in a packet.
runtime::Task<void> reset_rapidly(SimPair& sim, QuicPair& pair, CancelCount& count, bool with_head) {
  const std::vector<std::uint8_t> head = request_bytes("GET", "/x");
  int connections = 0;
  int requests = 0;
  for (; connections < 4; ++connections) {
    HostileClient client(pair.executor, sim.network.bind(sim_address(9)), pair.server.address(), 5 + connections);
    auto connecting = client.connect();
    REQUIRE(co_await connecting);
    bool open = true;
    for (int packet = 0; open && packet < 2000; ++packet) {
      Frames frames;
      for (int i = 0; i < 8; ++i) {
        const auto id = client.open_stream();
        if (!id) break;
        ++requests;
        const std::size_t size = with_head ? head.size() : 1;
        add_stream_frame(frames, *id, 0, std::span(head).first(size));
        add_reset_frame(frames, *id, size);
      }
      if (frames.empty()) {
        co_await runtime::sleep_for(pair.executor, 1ms, kNever);
        open = !client.over();
        continue;
      }
      auto sending = client.send(std::move(frames));
      open = co_await sending;
    }
    // Without their heads, the streams stay open, so the limit on streams applies.
    if (with_head) CHECK(client.closed_with() == std::optional<std::uint64_t>(kExcessiveLoad));
    auto closing = client.close();
    co_await closing;
  }
  INFO("requests " << requests << ", handlers " << count.begun);
  // Four connections' own, those of the address, and what was in flight when a connection was closed.
  CHECK(requests <= 4 * 64 + 512 + 4 * 128);
  CHECK(count.begun == count.cancelled);
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto getting = get(*link, "/get?size=10");
  CHECK((co_await getting).has_value());
}

// 64 requests at once are cancelled, eight times.
runtime::Task<void> cancel_honestly(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  for (int round = 0; round < 8; ++round) {
    std::vector<std::unique_ptr<net::ClientStream>> streams;
    for (int i = 0; i < 64; ++i) {
      const net::RequestHead head{"GET", "/hang", {}};
      auto asking = link->request(head, false, kNever);
      auto stream = co_await asking;
      REQUIRE(stream.has_value());
      streams.push_back(std::move(*stream));
    }
    co_await runtime::sleep_for(pair.executor, 20ms, kNever);
    streams.clear();
    co_await runtime::sleep_for(pair.executor, 20ms, kNever);
  }
  auto getting = get(*link, "/get?size=10");
  CHECK((co_await getting).has_value());
}

// Requests that end well are never counted.
runtime::Task<void> ask_often(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  for (int i = 0; i < 3000; ++i) {
    auto getting = get(*link, i % 3 == 0 ? "/none" : "/get?size=10");
    REQUIRE((co_await getting).has_value());
  }
}

runtime::Task<void> throw_often(QuicPair& pair) {
  for (int i = 0; i < 50; ++i) {
    auto dialing = pair.link();
    auto link = co_await dialing;
    auto getting = get(*link, "/throw");
    CHECK(!(co_await getting).has_value());
  }
}

void run_resets(bool with_head) {
  SimPair sim;
  CancelCount count;
  sim.run({[&](QuicPair& pair) { return reset_rapidly(sim, pair, count, with_head); },
           [&](net::ServerStream& stream, runtime::CancellationToken token) {
             return count_handler(count, stream, std::move(token));
           }});
}

}  // namespace

TEST_CASE("A client that resets requests in a loop is disconnected, however often it comes back") { run_resets(true); }

TEST_CASE("A client that resets requests before their heads gets no further streams") { run_resets(false); }

TEST_CASE("A client that cancels 64 requests at once, eight times, stays connected") {
  SimPair sim;
  sim.run({&cancel_honestly, &test_handler});
}

TEST_CASE("A client causes at most eight log lines at once") {
  SimPair sim;
  int lines = 0;
  QuicTest test{&throw_often, &test_handler};
  test.tune_server = [&](net::EndpointOptions& options) {
    options.log = Log([&](LogLevel level, std::string_view, const std::string&,
                          const LogFields&) { lines += level == LogLevel::warn ? 1 : 0; },
                      "quic");
  };
  sim.run(test);
  CHECK(lines == 8);
}

TEST_CASE("A client that asks 3,000 times stays connected") {
  SimPair sim;
  sim.run({&ask_often, &test_handler});
}
