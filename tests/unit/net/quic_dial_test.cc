// Dialing: identities, refusals and timeouts.
#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

runtime::Task<void> wrong_id(QuicPair& pair) {
  auto dialing = pair.client.endpoint().dial(pair.server.address(), pair.client.id(), kNever);
  const auto link = co_await dialing;
  REQUIRE(!link.has_value());
  CHECK(link.error().code == ErrorCode::refused);
  CHECK(link.error().message.find(pair.server.id().brief()) != std::string::npos);
}

runtime::Task<void> without_certificate(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto getting = get(*link, "/get?size=10");
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  CHECK(reply->head.fields.at(0).value == "none");
}

runtime::Task<void> dead_address(QuicPair& pair) {
  const runtime::TimePoint start = pair.executor.now();
  auto dialing = pair.client.endpoint().dial(sim_address(99), std::nullopt, kNever);
  const auto link = co_await dialing;
  REQUIRE(!link.has_value());
  CHECK(link.error().code == ErrorCode::unreachable);
  CHECK(pair.executor.now() - start >= net::kDialTimeout);
  CHECK(pair.executor.now() - start <= net::kDialTimeout + 1s);
}

runtime::Task<void> without_serving(QuicPair& pair) {
  auto dialing = pair.client.endpoint().dial(pair.server.address(), std::nullopt, kNever);
  const auto link = co_await dialing;
  REQUIRE(!link.has_value());
  CHECK(link.error().code == ErrorCode::unreachable);
}

}  // namespace

TEST_CASE("A dial fails if another peer answers") {
  SimPair sim;
  sim.run({&wrong_id, &test_handler});
}

TEST_CASE("A client without a certificate is served without a peer id") {
  SimPair sim;
  QuicTest test{&without_certificate, &test_handler};
  test.tune_client = [](net::EndpointOptions& options) { options.present_certificate = false; };
  sim.run(test);
}

TEST_CASE("Dialing a dead address fails after the dial timeout") {
  SimPair sim;
  sim.run({&dead_address, &test_handler});
}

TEST_CASE("An endpoint that does not serve refuses clients") {
  SimPair sim;
  sim.run({&without_serving, {}});
}
