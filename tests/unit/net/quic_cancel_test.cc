// Cancellation and shutdown at every moment of a scenario.
#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

runtime::Task<void> dial_and_cancel(QuicPair& pair, bool& finished, runtime::CancellationToken token) {
  try {
    auto dialing = pair.client.endpoint().dial(pair.server.address(), pair.server.id(), token);
    auto link = co_await dialing;
    REQUIRE(link.has_value());
    const net::RequestHead head{"GET", "/get?size=300000", {}};
    auto asking = (*link)->request(head, false, token);
    auto stream = co_await asking;
    REQUIRE(stream.has_value());
    auto responding = (*stream)->response(token);
    const auto response = co_await responding;
    REQUIRE(response.has_value());
    std::vector<std::uint8_t> buffer(300'000);
    auto reading = (*stream)->reader().read(buffer, token);
    const auto n = co_await reading;  // outside CHECK, which would report the exception of a cancellation
    CHECK(n == buffer.size());
    const net::RequestHead post{"POST", "/echo", {}};
    auto posting = (*link)->request(post, true, token);
    auto upload = co_await posting;
    REQUIRE(upload.has_value());
    auto writing = write_pattern((*upload)->writer(), 20 << 20, 1 << 20, token);
    const auto written = co_await writing;
    CHECK(written.has_value());
    finished = true;
  } catch (const runtime::Cancelled&) {
    CHECK(token.requested());
  }
}

// Cancels the scenario at a later moment each time, until it completes. Everything must still work afterwards.
runtime::Task<void> cancel_after(runtime::Duration after, bool& finished, QuicPair& pair) {
  {
    runtime::Deadline deadline(pair.executor, after, kNever);
    auto trying = dial_and_cancel(pair, finished, deadline.token());
    co_await trying;
  }
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto getting = get(*link, "/get?size=1000");
  const auto reply = co_await getting;
  CHECK(reply.has_value());
}

// Closes the endpoint at a later moment each time. No task and no timer may be left.
runtime::Task<void> stop_after(runtime::Duration after, QuicPair& pair, bool& finished) {
  runtime::Scope scope(pair.scope, "load");
  runtime::CancellationSource stop;
  scope.spawn("load", [](QuicPair& p, runtime::CancellationToken token, bool& done) -> runtime::Task<void> {
    auto dialing = p.client.endpoint().dial(p.server.address(), std::nullopt, token);
    auto link = co_await dialing;
    if (!link) co_return;
    auto getting = get(**link, "/get?size=3000000");
    const auto reply = co_await getting;
    done = reply.has_value();
  }(pair, stop.token(), finished));
  auto sleeping = runtime::sleep_for(pair.executor, after, kNever);
  co_await sleeping;
  pair.client.stop_now();
  auto join = scope.join();
  co_await join;
}

}  // namespace

TEST_CASE("Cancelling at any moment leaves the connection usable") {
  bool finished = false;
  int rounds = 0;
  for (runtime::Duration after = 0us; !finished; after += 173us) {
    INFO("after " << after / 1us << " us");
    SimPair sim;
    sim.run({[&](QuicPair& pair) { return cancel_after(after, finished, pair); }, &test_handler});
    ++rounds;
    REQUIRE(after < 2s);
  }
  CHECK(rounds > 5);
}

TEST_CASE("An endpoint closed at any moment leaves no task and no timer") {
  bool finished = false;
  for (runtime::Duration after = 0us; !finished; after += 211us) {
    INFO("after " << after / 1us << " us");
    SimPair sim;
    sim.run({[&](QuicPair& pair) { return stop_after(after, pair, finished); }, &test_handler});
    REQUIRE(after < 2s);
  }
}

TEST_CASE("An endpoint whose socket stays blocked still closes in time") {
  SimPair sim;
  sim.run({[&sim](QuicPair& pair) -> runtime::Task<void> {
             return [](SimPair& s, QuicPair& p) -> runtime::Task<void> {
               auto dialing = p.link();
               auto link = co_await dialing;
               s.network.block_sends(p.client.address());
               s.network.block_sends(p.server.address());
               link->close("never heard");
             }(sim, pair);
           },
           &test_handler});
}
