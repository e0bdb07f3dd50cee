// Requests and responses over QUIC and HTTP/3.
#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

runtime::Task<void> one_get(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
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
  CHECK(link->stats().bytes_in > 100000);
}

runtime::Task<Result<Reply>> post(net::Link& link, std::size_t size) {
  net::RequestHead head{"POST", "/echo", {{"content-type", "application/octet-stream"}}};
  auto asking = link.request(head, true, kNever);
  auto stream = co_await asking;
  if (!stream) co_return std::unexpected(stream.error());
  auto writing = write_pattern((*stream)->writer(), size, 100'000, kNever);
  auto written = co_await writing;
  if (!written) co_return std::unexpected(written.error());
  auto responding = (*stream)->response(kNever);
  auto response = co_await responding;
  if (!response) co_return std::unexpected(response.error());
  Reply reply{std::move(*response), 0};
  co_return reply;
}

runtime::Task<void> posts_and_gets(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5'000'000}}) {
    auto posting = post(*link, size);
    const auto reply = co_await posting;
    REQUIRE(reply.has_value());
    CHECK(reply->head.fields.at(0).value == std::to_string(size));
    auto getting = get(*link, "/get?size=" + std::to_string(size));
    const auto got = co_await getting;
    REQUIRE(got.has_value());
    CHECK(got->body == size);
  }
  auto getting = get(*link, "/none");
  const auto none = co_await getting;
  REQUIRE(none.has_value());
  CHECK(none->head.status == 404);
  CHECK(none->body == 0);
}

runtime::Task<void> head_request(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  net::RequestHead head{"HEAD", "/", {}};
  auto asking = link->request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  auto responding = (*stream)->response(kNever);
  const auto response = co_await responding;
  REQUIRE(response.has_value());
  CHECK(response->content_length == 1234567);
  std::vector<std::uint8_t> buffer(10);
  auto reading = (*stream)->reader().read(buffer, kNever);
  CHECK((co_await reading) == 0);
}

runtime::Task<void> answer_head(net::ServerStream& stream, runtime::CancellationToken) {
  CHECK(stream.request().method == "HEAD");
  net::ResponseHead head;
  head.content_length = 1234567;
  static_cast<void>(stream.respond(head, false));
  co_return;
}

runtime::Task<void> one_of_many(net::Link& link, std::size_t size, std::size_t& done) {
  auto getting = get(link, "/get?size=" + std::to_string(size));
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  if (reply->body == size) ++done;
}

runtime::Task<void> many_at_once(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  for (int round = 0; round < 3; ++round) {
    std::size_t done = 0;
    runtime::Scope scope(pair.scope, "requests");
    for (std::size_t i = 0; i < 64; ++i) scope.spawn("get", one_of_many(*link, 10'000 + i * 1000, done));
    auto join = scope.join();
    co_await join;
    CHECK(done == 64);
    auto sleeping = runtime::sleep_for(pair.executor, 50ms, kNever);  // until the server has noticed their end
    co_await sleeping;
  }
}

runtime::Task<void> too_many(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  std::vector<std::unique_ptr<net::ClientStream>> streams;
  const net::RequestHead head{"GET", "/hang", {}};
  for (int i = 0; i < 64; ++i) {
    auto asking = link->request(head, false, kNever);
    auto stream = co_await asking;
    REQUIRE(stream.has_value());
    streams.push_back(std::move(*stream));
  }
  auto asking = link->request(head, false, kNever);
  const auto refused = co_await asking;
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == ErrorCode::busy);
  streams.clear();
  auto sleeping = runtime::sleep_for(pair.executor, 100ms, kNever);
  co_await sleeping;
  auto getting = get(*link, "/get?size=10");
  const auto reply = co_await getting;
  CHECK(reply.has_value());
}

runtime::Task<void> lossy(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto getting = get(*link, "/get?size=3000000");
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  CHECK(reply->body == 3'000'000);
  auto posting = post(*link, 1'000'000);
  const auto posted = co_await posting;
  REQUIRE(posted.has_value());
  CHECK(posted->head.fields.at(0).value == "1000000");
}

runtime::Task<void> large_header(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  net::RequestHead head{"GET", "/get?size=1", {{"x-large", std::string(20'000, 'a')}}};
  auto asking = link->request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  auto responding = (*stream)->response(kNever);
  const auto response = co_await responding;
  REQUIRE(!response.has_value());
  CHECK(response.error().code == ErrorCode::refused);
  auto getting = get(*link, "/get?size=10");  // the connection still works
  const auto reply = co_await getting;
  CHECK(reply.has_value());
}

}  // namespace

TEST_CASE("A GET proves both identities") {
  SimPair sim;
  sim.run({&one_get, &test_handler});
}

TEST_CASE("A GET works over loopback") { run_loopback_pair({&one_get, &test_handler}); }

TEST_CASE("Bodies travel both ways, including empty ones") {
  SimPair sim;
  sim.run({&posts_and_gets, &test_handler});
}

TEST_CASE("Bodies travel both ways over loopback") { run_loopback_pair({&posts_and_gets, &test_handler}); }

TEST_CASE("The response to HEAD has a length and no body") {
  SimPair sim;
  sim.run({&head_request, &answer_head});
}

TEST_CASE("64 requests run at the same time, repeatedly") {
  SimPair sim;
  sim.run({&many_at_once, &test_handler});
}

TEST_CASE("The 65th request fails as busy, and cancelled requests make room") {
  SimPair sim;
  sim.run({&too_many, &test_handler});
}

TEST_CASE("Bodies arrive intact despite loss, reordering, duplication and jitter") {
  for (const double loss : {0.01, 0.1}) {
    for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
      INFO("loss " << loss << ", seed " << seed);
      SimPair sim(seed);
      LinkConditions conditions;
      conditions.loss = loss;
      conditions.reorder = 0.02;
      conditions.duplicate = 0.01;
      conditions.jitter = 1ms;
      sim.network.set_conditions(conditions);
      sim.run({&lossy, &test_handler});
    }
  }
}

TEST_CASE("Bodies arrive intact over a socket that often blocks, or has no segmentation offload") {
  SimPair sim;
  SECTION("would block") { sim.network.set_would_block(0.3); }
  SECTION("single datagrams") { sim.network.set_max_segments(1); }
  sim.run({&lossy, &test_handler});
}

TEST_CASE("A request with a header section that is too large fails, and the connection stays") {
  SimPair sim;
  sim.run({&large_header, &test_handler});
}
