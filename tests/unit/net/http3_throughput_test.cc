// Flow control and throughput over QUIC and HTTP/3.
#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

// With a slow reader, the writer is ahead by at most the window plus its unacknowledged bytes.
struct Pressure {
  std::size_t written = 0, released = 0, furthest = 0;
};

runtime::Task<void> count_writes(Pressure& pressure, net::ServerStream& stream, runtime::CancellationToken token) {
  net::ResponseHead head;
  if (!stream.respond(head, true)) co_return;
  const net::SharedBytes piece = pattern(1 << 20);
  for (int i = 0; i < 200; ++i) {
    auto writing = stream.writer().write(piece, token);
    if (!(co_await writing)) co_return;
    pressure.written += piece->size();
    pressure.furthest = std::max(pressure.furthest, pressure.written - pressure.released);
  }
  stream.writer().finish();
}

runtime::Task<void> read_slowly(Pressure& pressure, QuicPair& pair, runtime::Duration pause) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  const net::RequestHead head{"GET", "/", {}};
  auto asking = link->request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  std::vector<std::uint8_t> buffer(1 << 20);
  std::size_t total = 0;
  for (;;) {
    auto reading = (*stream)->reader().read(buffer, kNever);
    const auto n = co_await reading;
    REQUIRE(n.has_value());
    total += *n;
    if (*n < buffer.size()) break;
    if (pause > runtime::Duration::zero()) {
      auto sleeping = runtime::sleep_for(pair.executor, pause, kNever);
      co_await sleeping;
    }
    (*stream)->reader().release(*n);
    pressure.released += *n;
  }
  CHECK(total == 200 << 20);
}

void run_pressure(Pressure& pressure, const std::function<void(const QuicTest&)>& run, runtime::Duration pause) {
  QuicTest test;
  test.body = [&pressure, pause](QuicPair& pair) { return read_slowly(pressure, pair, pause); };
  test.handler = [&pressure](net::ServerStream& stream, runtime::CancellationToken token) {
    return count_writes(pressure, stream, std::move(token));
  };
  test.tune_client = [](net::EndpointOptions& options) { options.stream_window = 2 << 20; };
  run(test);
  CHECK(pressure.written == 200 << 20);
  CHECK(pressure.furthest <= (2 << 20) + net::kMaxUnackedPerStream + (3 << 20));
}

// The fraction of the link's bandwidth that a transfer uses.
runtime::Task<void> fill_link(double bandwidth, QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  const runtime::TimePoint start = pair.executor.now();
  const std::size_t size = 300'000'000;
  std::vector<std::uint8_t> buffer(1 << 20);
  std::size_t total = 0;
  const net::RequestHead head{"GET", "/", {}};
  auto asking = link->request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  while (total < size) {
    auto reading = (*stream)->reader().read(buffer, kNever);
    const auto n = co_await reading;
    REQUIRE(n.has_value());
    (*stream)->reader().release(*n);
    total += *n;
  }
  const double seconds = std::chrono::duration<double>(pair.executor.now() - start).count();
  const double share = static_cast<double>(total) / seconds / bandwidth;
  INFO("share " << share << ", lost " << link->stats().packets_lost);
  CHECK(share > 0.85);
}

runtime::Task<void> send_endlessly(net::ServerStream& stream, runtime::CancellationToken token) {
  net::ResponseHead head;
  if (!stream.respond(head, true)) co_return;
  const net::SharedBytes piece = pattern(1 << 20);
  for (;;) {
    auto writing = stream.writer().write(piece, token);
    if (!(co_await writing)) co_return;
  }
}

}  // namespace

TEST_CASE("A reader that releases slowly holds back the writer of 200 MB") {
  Pressure pressure;
  SimPair sim;
  run_pressure(pressure, [&sim](const QuicTest& test) { sim.run(test); }, 3ms);
}

TEST_CASE("200 MB are transferred over loopback") {
  Pressure pressure;
  run_pressure(pressure, [](const QuicTest& test) { run_loopback_pair(test); }, 0ms);
}

TEST_CASE("A transfer uses most of the link's bandwidth") {
  for (const double bandwidth : {125e6, 1250e6}) {
    for (const runtime::Duration delay : {100us, 300us}) {
      INFO("bandwidth " << bandwidth << ", delay " << delay / 1us << " us");
      SimPair sim;
      LinkConditions conditions;
      conditions.bandwidth = static_cast<std::uint64_t>(bandwidth);
      conditions.delay = delay;
      conditions.queue = 1 << 20;
      sim.network.set_conditions(conditions);
      sim.run({[bandwidth](QuicPair& pair) { return fill_link(bandwidth, pair); }, &send_endlessly});
    }
  }
}
