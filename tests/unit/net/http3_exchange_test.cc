#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

runtime::Task<void> one_get(QuicPair& pair) {
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
  auto dialling = pair.link();
  auto link = co_await dialling;
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
  auto dialling = pair.link();
  auto link = co_await dialling;
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
  auto dialling = pair.link();
  auto link = co_await dialling;
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
  auto dialling = pair.link();
  auto link = co_await dialling;
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
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> lossy(QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
  auto getting = get(*link, "/get?size=3000000");
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  CHECK(reply->body == 3'000'000);
  auto posting = post(*link, 1'000'000);
  const auto posted = co_await posting;
  REQUIRE(posted.has_value());
  CHECK(posted->head.fields.at(0).value == "1000000");
}

// The fraction of the link's bandwidth that a transfer uses.
runtime::Task<void> fill_link(double bandwidth, QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> one_piece_for_ever(net::ServerStream& stream, runtime::CancellationToken token) {
  net::ResponseHead head;
  if (!stream.respond(head, true)) co_return;
  const net::SharedBytes piece = pattern(1 << 20);
  for (;;) {
    auto writing = stream.writer().write(piece, token);
    if (!(co_await writing)) co_return;
  }
}

runtime::Task<void> large_header(QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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

TEST_CASE("A reader that releases slowly holds back the writer of 200 MB") {
  Pressure pressure;
  SimPair sim;
  run_pressure(pressure, [&sim](const QuicTest& test) { sim.run(test); }, 3ms);
}

TEST_CASE("200 MB are transferred over loopback") {
  Pressure pressure;
  run_pressure(pressure, [](const QuicTest& test) { run_loopback_pair(test); }, 0ms);
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
      sim.run({[bandwidth](QuicPair& pair) { return fill_link(bandwidth, pair); }, &one_piece_for_ever});
    }
  }
}
