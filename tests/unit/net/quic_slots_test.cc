// Who keeps a connection when there are too many.
#include <catch2/catch_test_macros.hpp>

#include "libpeer/net/limits.h"
#include "quic_pair.h"
#include "support/net/hostile_client.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;
using Crowd = std::vector<std::unique_ptr<net::Link>>;

runtime::Task<void> dial_idle(QuicPair& pair, QuicHost& attacker, Crowd& crowd, int count) {
  for (int i = 0; i < count; ++i) {
    auto dialing = attacker.endpoint().dial(pair.server.address(), pair.server.id(), kNever);
    auto link = co_await dialing;
    REQUIRE(link.has_value());
    crowd.push_back(std::move(*link));
  }
}

runtime::Task<void> get_soon(QuicPair& pair, std::string what) {
  INFO(what);
  const runtime::TimePoint start = pair.executor.now();
  auto dialing = pair.client.endpoint().dial(pair.server.address(), pair.server.id(), kNever);
  auto link = co_await dialing;
  REQUIRE(link.has_value());
  auto getting = get(**link, "/get?size=100000");
  CHECK((co_await getting).has_value());
  CHECK(pair.executor.now() - start < 1s);
}

runtime::Task<void> end(runtime::Scope& scope, QuicHost& host) {
  auto stop = host.stop();
  co_await stop;
  auto join = scope.join();
  co_await join;
}

// More idle clients than there are slots, within their first five seconds.
runtime::Task<void> crowd_then_get(SimPair& sim, QuicPair& pair, bool certificate, std::string address) {
  runtime::Scope scope(pair.scope, "attacker");
  const auto tune = [certificate](net::EndpointOptions& options) { options.present_certificate = certificate; };
  QuicHost attacker(scope, sim.network.bind(*net::SocketAddress::parse(address)), 77, tune);
  Crowd crowd;
  const runtime::TimePoint start = pair.executor.now();
  auto dialing = dial_idle(pair, attacker, crowd, 960);
  co_await dialing;
  REQUIRE(pair.executor.now() - start < 4s);
  CHECK(pair.server.endpoint().stats().connections <= net::limits::kUnaccepted + 8);
  auto getting = get_soon(pair, "beside the crowd");
  co_await getting;
  // Without a request, they are gone after 5 s, and the honest client is not affected.
  co_await runtime::sleep_for(pair.executor, 6s, kNever);
  CHECK(pair.server.endpoint().stats().connections <= 1);
  crowd.clear();
  auto ending = end(scope, attacker);
  co_await ending;
}

// Peers whose sessions are accepted, all from one address, are closed for others when there is no slot left.
runtime::Task<void> many_sessions(SimPair& sim, QuicPair& pair) {
  auto linking = pair.link();
  auto honest = co_await linking;
  auto opening = get(*honest, "/echo");  // grows the window: the session is accepted
  CHECK((co_await opening).has_value());
  runtime::Scope scope(pair.scope, "attacker");
  QuicHost attacker(scope, sim.network.bind(sim_address(9)), 77);
  Crowd crowd;
  for (int i = 0; i < 1000; ++i) {
    auto dialing = attacker.endpoint().dial(pair.server.address(), pair.server.id(), kNever);
    auto link = co_await dialing;
    if (!link) break;
    auto accepted = get(**link, "/echo");
    CHECK((co_await accepted).has_value());
    crowd.push_back(std::move(*link));
  }
  CHECK(crowd.size() == net::limits::kInbound - 1);
  CHECK(pair.server.endpoint().stats().connections <= net::limits::kInbound + 8);
  auto getting = get(*honest, "/get?size=10");
  CHECK((co_await getting).has_value());
  auto soon = get_soon(pair, "a new client beside 1,000 sessions");
  co_await soon;
  crowd.clear();
  auto ending = end(scope, attacker);
  co_await ending;
}

// A client with a request in progress outlives the deadline, and one with a certificate that has made a request.
runtime::Task<void> deadlines(QuicPair& pair) {
  auto linking = pair.link();
  auto link = co_await linking;
  const net::RequestHead head{"GET", "/hang", {}};
  auto asking = link->request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  co_await runtime::sleep_for(pair.executor, 10s, kNever);
  CHECK(pair.server.endpoint().stats().connections == 1);
  stream->reset();
  co_await runtime::sleep_for(pair.executor, 4s, kNever);
  CHECK(pair.server.endpoint().stats().connections == 1);
  auto getting = get(*link, "/get?size=10");
  CHECK((co_await getting).has_value());
}

}  // namespace

TEST_CASE("960 idle clients of one address keep nobody out, and are closed after 5 s") {
  SimPair sim;
  sim.run({[&](QuicPair& pair) { return crowd_then_get(sim, pair, false, "10.0.0.9:24747"); }, &test_handler});
}

TEST_CASE("960 idle clients with certificates keep nobody out, and are closed after 5 s") {
  SimPair sim;
  sim.run({[&](QuicPair& pair) { return crowd_then_get(sim, pair, true, "10.0.0.9:24747"); }, &test_handler});
}

TEST_CASE("A thousand sessions from one address do not take the slots of others") {
  SimPair sim;
  sim.run({[&](QuicPair& pair) { return many_sessions(sim, pair); }, &test_handler});
}

TEST_CASE("A request in progress keeps a connection") {
  SimPair sim;
  QuicTest test{&deadlines, &test_handler};
  SECTION("with a certificate") {}
  SECTION("anonymous") {
    test.tune_client = [](net::EndpointOptions& options) { options.present_certificate = false; };
  }
  sim.run(test);
}
