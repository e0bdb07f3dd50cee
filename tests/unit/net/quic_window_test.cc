// What a client may make a server hold: windows, and the memory of gaps.
#include <catch2/catch_test_macros.hpp>

#include "libpeer/net/limits.h"
#include "quic_pair.h"
#include "support/net/hostile_client.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

// Sends one byte in every `distance` of `streams` streams, up to `end`, and never the first byte.
runtime::Task<void> leave_gaps(HostileClient& client, int streams, std::uint64_t distance, std::uint64_t end) {
  const std::uint8_t byte = 1;
  Frames frames;
  for (int i = 0; i < streams; ++i) {
    const auto id = client.open_stream();
    REQUIRE(id);
    for (std::uint64_t at = distance - 1; at < end; at += distance) {
      add_stream_frame(frames, *id, at, {&byte, 1});
      if (frames.size() < 1050 && at + distance < end) continue;
      auto sending = client.send(std::exchange(frames, {}));
      if (!co_await sending) co_return;
    }
  }
}

struct GapAttack {
  int streams;
  std::uint64_t distance, end;
  std::size_t most = 0;  // that the server held
  std::optional<std::uint64_t> closed_with;
};

runtime::Task<void> watch(QuicPair& pair, GapAttack& attack, runtime::CancellationToken token) {
  for (;;) {
    attack.most = std::max(attack.most, pair.server.endpoint().stats().received_memory);
    co_await runtime::sleep_for(pair.executor, 200us, token);
  }
}

runtime::Task<void> attack_with_gaps(SimPair& sim, QuicPair& pair, GapAttack& attack) {
  runtime::CancellationSource stop;
  runtime::Scope scope(pair.scope, "watch");
  scope.spawn("watch", watch(pair, attack, scope.token()));
  HostileClient client(pair.executor, sim.network.bind(sim_address(9)), pair.server.address(), 5);
  auto connecting = client.connect();
  REQUIRE(co_await connecting);
  auto leaving = leave_gaps(client, attack.streams, attack.distance, attack.end);
  co_await leaving;
  co_await runtime::sleep_for(pair.executor, 50ms, kNever);
  attack.closed_with = client.closed_with();
  auto closing = client.close();
  co_await closing;
  scope.request_stop();
  auto join = scope.join();
  co_await join;
}

GapAttack run_attack(GapAttack attack) {
  SimPair sim;
  sim.run({[&](QuicPair& pair) { return attack_with_gaps(sim, pair, attack); }, &test_handler});
  return attack;
}

}  // namespace

TEST_CASE("A client that leaves gaps makes the server hold at most 1 MiB") {
  // As many streams as fit into the window of the connection, one byte in each block of the reassembly.
  const GapAttack sparse = run_attack({4, 8192, net::limits::kRequestWindow, 0, {}});
  CHECK(!sparse.closed_with);
  CHECK(sparse.most > 128 << 10);
  CHECK(sparse.most <= 1 << 20);
  // One byte in every two, in all streams: the gaps need far more than the bytes, 12 MB if nothing counts them.
  const GapAttack dense = run_attack({64, 2, net::limits::kRequestConnectionWindow / 64, 0, {}});
  CHECK(dense.closed_with);
  CHECK(dense.most <= (1 << 20) + (64 << 10));  // one packet more
}

TEST_CASE("A client that sends one byte beyond its window is disconnected") {
  const std::uint64_t window = net::limits::kRequestWindow;
  CHECK(!run_attack({1, window, window, 0, {}}).closed_with);
  CHECK(run_attack({1, window + 1, window + 1, 0, {}}).closed_with ==
        std::optional<std::uint64_t>(NGTCP2_FLOW_CONTROL_ERROR));
  // The same for all streams together.
  CHECK(!run_attack({4, window, window, 0, {}}).closed_with);
  CHECK(run_attack({5, window, window, 0, {}}).closed_with == std::optional<std::uint64_t>(NGTCP2_FLOW_CONTROL_ERROR));
}
