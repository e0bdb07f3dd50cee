#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;

namespace {

rt::Task<void> one_get(QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
  CHECK(link->peer() == pair.server.id());
  auto getting = get(*link, "/get?size=100000");
  const auto reply = co_await getting;
  INFO((reply ? std::string() : reply.error().message));
  REQUIRE(reply.has_value());
  CHECK(reply->head.status == 200);
  CHECK(reply->head.content_length == 100000);
  CHECK(reply->body == 100000);
  REQUIRE(reply->head.fields.size() == 1);
  CHECK(reply->head.fields[0].value == pair.client.id().hex());
}

}  // namespace

TEST_CASE("a GET over a simulated network") {
  SimPair sim;
  sim.run({&one_get, &test_handler});
}

TEST_CASE("a GET over loopback") { run_loopback_pair({&one_get, &test_handler}); }
