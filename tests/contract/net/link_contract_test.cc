// The contract of net/link.h: over HTTP/3 on a simulated network, and in memory.
#include <catch2/catch_test_macros.hpp>

#include "contract/net/link_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

runtime::Task<Result<std::unique_ptr<net::ClientStream>>> ask(net::Link& link, std::string method, std::string path,
                                                              bool has_body) {
  const net::RequestHead head{std::move(method), std::move(path), {}};
  auto asking = link.request(head, has_body, kNever);
  co_return co_await asking;
}

runtime::Task<void> exchanges(LinkPair& pair) {
  auto link = co_await pair.link();
  CHECK(link->peer() == pair.server_id);
  CHECK(link->remote_address() == pair.server.local_address());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5'000'000}}) {
    auto upload = co_await ask(*link, "POST", "/echo", true);
    REQUIRE(upload.has_value());
    auto written = co_await write_pattern((*upload)->writer(), size, 100'000, kNever);
    REQUIRE(written.has_value());
    auto response = co_await (*upload)->response(kNever);
    REQUIRE(response.has_value());
    CHECK(response->fields.at(0).value == std::to_string(size));
    auto reply = co_await get(*link, "/get?size=" + std::to_string(size));
    REQUIRE(reply.has_value());
    CHECK(reply->head.content_length == size);
    CHECK(reply->head.fields.at(0).value == pair.client_id.hex());
    CHECK(reply->body == size);
  }
}

/// Answers with the connection's binding, and whether the connection was admitted before.
runtime::Task<void> show_binding(net::ServerStream& stream, runtime::CancellationToken) {
  net::ResponseHead head;
  head.fields.push_back({"binding", stream.channel_binding().hex()});
  head.fields.push_back({"marked", stream.admitted() ? "yes" : "no"});
  stream.admit();
  static_cast<void>(stream.respond(head, false));
  co_return;
}

runtime::Task<std::pair<std::string, std::string>> ask_binding(net::Link& link) {
  auto reply = co_await get(link, "/binding");
  REQUIRE(reply.has_value());
  co_return std::pair(reply->head.fields.at(0).value, reply->head.fields.at(1).value);
}

runtime::Task<void> bindings(LinkPair& pair) {
  auto one = co_await pair.link();
  auto two = co_await pair.link();
  CHECK(one->channel_binding() != net::ChannelBinding{});
  CHECK(one->channel_binding() != two->channel_binding());
  for (net::Link* link : {one.get(), two.get()}) {
    const auto first = co_await ask_binding(*link);
    CHECK(first.first == link->channel_binding().hex());
    CHECK(first.second == "no");
    const auto second = co_await ask_binding(*link);
    CHECK(second.first == link->channel_binding().hex());
    CHECK(second.second == "yes");
  }
}

runtime::Task<void> many_streams(LinkPair& pair) {
  auto link = co_await pair.link();
  std::vector<std::unique_ptr<net::ClientStream>> streams;
  for (int i = 0; i < 64; ++i) {
    auto stream = co_await ask(*link, "GET", "/hang", false);
    REQUIRE(stream.has_value());
    streams.push_back(std::move(*stream));
  }
  auto refused = co_await ask(*link, "GET", "/hang", false);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::busy);
  streams.clear();  // resets them
  co_await runtime::sleep_for(pair.executor, 100ms, kNever);
  auto reply = co_await get(*link, "/get?size=10");
  CHECK(reply.has_value());
}

struct WriterPressure {
  std::size_t written = 0;
  bool cancelled = false;
  runtime::Event ended;
};

runtime::Task<void> write_endlessly(WriterPressure& pressure, net::ServerStream& stream,
                                    runtime::CancellationToken token) {
  if (stream.request().path != "/endless") {
    co_await test_handler(stream, std::move(token));
    co_return;
  }
  static_cast<void>(stream.respond(net::ResponseHead(), true));
  const net::SharedBytes piece = pattern(1 << 20);
  try {
    for (;;) {
      auto writing = stream.writer().write(piece, token);
      auto written = co_await writing;
      if (!written) break;
      pressure.written += piece->size();
    }
  } catch (const runtime::Cancelled&) {
    pressure.cancelled = true;
  }
  pressure.ended.set();
}

/// The writer is ahead by at most the bytes in flight and those that the reader may hold. A dropped stream ends its
/// handler.
runtime::Task<void> held_back(WriterPressure& pressure, LinkPair& pair) {
  constexpr std::size_t kAhead = (16 << 20) + net::kMaxUnackedPerStream + (2 << 20);
  auto link = co_await pair.link();
  auto stream = co_await ask(*link, "GET", "/endless", false);
  REQUIRE(stream.has_value());
  REQUIRE((co_await (*stream)->response(kNever)).has_value());
  std::vector<std::uint8_t> buffer(1 << 20);
  for (std::size_t released = 0; released < 40; ++released) {
    auto n = co_await (*stream)->reader().read(buffer, kNever);
    REQUIRE(n.has_value());
    CHECK(*n == buffer.size());
    co_await runtime::sleep_for(pair.executor, 100ms, kNever);
    CHECK(pressure.written <= (released << 20) + kAhead);
    (*stream)->reader().release(*n);
  }
  stream->reset();
  co_await pressure.ended.wait(kNever);
  auto reply = co_await get(*link, "/get?size=100000");  // the link still works
  CHECK(reply.has_value());
}

runtime::Task<void> return_early(net::ServerStream& stream, runtime::CancellationToken token) {
  if (stream.request().path == "/silent") co_return;
  net::ResponseHead head;
  head.content_length = 5 << 20;
  static_cast<void>(stream.respond(head, true));
  auto writing = stream.writer().write(pattern(1000), token);
  static_cast<void>(co_await writing);
}

runtime::Task<void> handler_returns_early(LinkPair& pair) {
  auto link = co_await pair.link();
  auto part = co_await ask(*link, "GET", "/part", false);
  REQUIRE(part.has_value());
  std::vector<std::uint8_t> buffer(5 << 20);
  auto n = co_await (*part)->reader().read(buffer, kNever);
  REQUIRE_FALSE(n.has_value());
  CHECK(n.error().code == ErrorCode::refused);
  auto silent = co_await ask(*link, "GET", "/silent", false);
  REQUIRE(silent.has_value());
  auto response = co_await (*silent)->response(kNever);
  REQUIRE_FALSE(response.has_value());
  CHECK(response.error().code == ErrorCode::refused);
  auto upload = co_await ask(*link, "POST", "/silent", true);
  REQUIRE(upload.has_value());
  auto written = co_await write_pattern((*upload)->writer(), 200 << 20, 1 << 20, kNever);
  REQUIRE_FALSE(written.has_value());
  CHECK(written.error().code == ErrorCode::refused);
}

runtime::Task<void> failures_stay_apart(LinkPair& pair) {
  auto link = co_await pair.link();
  auto other = co_await pair.link();
  auto stream = co_await ask(*link, "GET", "/throw", false);
  REQUIRE(stream.has_value());
  CHECK_FALSE((co_await (*stream)->response(kNever)).has_value());
  const Error error = co_await link->ended(kNever);
  CHECK(error.code == ErrorCode::unreachable);
  CHECK(error.message.find("a bug") == std::string::npos);
  auto late = co_await ask(*link, "GET", "/get?size=1", false);
  CHECK_FALSE(late.has_value());
  CHECK((co_await get(*other, "/get?size=10")).has_value());
}

runtime::Task<void> dials(LinkPair& pair) {
  auto wrong = co_await pair.client.dial(pair.server.local_address(), pair.client_id, kNever);
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().code == ErrorCode::refused);
  CHECK(wrong.error().message.find(pair.server_id.brief()) != std::string::npos);
  const runtime::TimePoint start = pair.executor.now();
  auto dead = co_await pair.client.dial(sim_address(99), std::nullopt, kNever);
  REQUIRE_FALSE(dead.has_value());
  CHECK(dead.error().code == ErrorCode::unreachable);
  CHECK(pair.executor.now() - start >= net::kDialTimeout);
  CHECK(pair.executor.now() - start <= net::kDialTimeout + 1s);
}

runtime::Task<void> without_serving(LinkPair& pair) {
  auto link = co_await pair.client.dial(pair.server.local_address(), std::nullopt, kNever);
  REQUIRE_FALSE(link.has_value());
  CHECK(link.error().code == ErrorCode::unreachable);
}

runtime::Task<void> closes(WriterPressure& pressure, LinkPair& pair) {
  auto link = co_await pair.link();
  auto stream = co_await ask(*link, "GET", "/endless", false);
  REQUIRE(stream.has_value());
  REQUIRE((co_await (*stream)->response(kNever)).has_value());
  link->close("enough");
  link->close("again");
  const Error error = co_await link->ended(kNever);
  CHECK(error.code == ErrorCode::unreachable);
  CHECK(error.message == "enough");
  std::vector<std::uint8_t> buffer(64 << 20);
  CHECK_FALSE((co_await (*stream)->reader().read(buffer, kNever)).has_value());
  co_await pressure.ended.wait(kNever);
  (*stream)->reader().release(0);
  link.reset();
  stream->reset();  // after its link
}

runtime::Task<void> serving_ends(WriterPressure& pressure, LinkPair& pair) {
  auto link = co_await pair.link();
  auto stream = co_await ask(*link, "GET", "/endless", false);
  REQUIRE(stream.has_value());
  REQUIRE((co_await (*stream)->response(kNever)).has_value());
  co_await pair.stop_serving();
  CHECK(pressure.cancelled);
  const Error error = co_await link->ended(kNever);
  CHECK(error.message.find("no longer serving") != std::string::npos);
}

runtime::Task<void> attempt(LinkPair& pair, bool& finished, runtime::CancellationToken token) {
  try {
    auto link = co_await pair.client.dial(pair.server.local_address(), pair.server_id, token);
    REQUIRE(link.has_value());
    const net::RequestHead head{"GET", "/get?size=3000000", {}};
    auto stream = co_await (*link)->request(head, false, token);
    REQUIRE(stream.has_value());
    auto response = co_await (*stream)->response(token);
    REQUIRE(response.has_value());
    std::vector<std::uint8_t> buffer(3'000'000);
    const auto n = co_await (*stream)->reader().read(buffer, token);
    CHECK(n == buffer.size());
    finished = true;
  } catch (const runtime::Cancelled&) {
    CHECK(token.requested());
  }
}

runtime::Task<void> cancelled_anywhere(LinkPair& pair) {
  bool finished = false;
  for (runtime::Duration after = 0ms; !finished;
       after += after < 1ms ? runtime::Duration(20us) : runtime::Duration(500us)) {
    {
      runtime::Deadline deadline(pair.executor, after, kNever);
      co_await attempt(pair, finished, deadline.token());
    }
    auto link = co_await pair.link();
    CHECK((co_await get(*link, "/get?size=1000")).has_value());
  }
}

}  // namespace

TEST_CASE("Link: bodies travel both ways, and both identities are known") { check_both(&exchanges, &test_handler); }

TEST_CASE("Link: both ends share a unique binding, and the server's admission stays with the connection") {
  check_both(&bindings, &show_binding);
}

TEST_CASE("Link: 64 requests run at a time, and cancelled ones make room") { check_both(&many_streams, &test_handler); }

TEST_CASE("Link: a slow reader holds back the writer, and a dropped stream ends its handler") {
  WriterPressure pressure;
  const net::RequestHandler handler = [&pressure](net::ServerStream& stream, runtime::CancellationToken token) {
    return write_endlessly(pressure, stream, std::move(token));
  };
  check_both([&pressure](LinkPair& pair) { return held_back(pressure, pair); }, handler);
}

TEST_CASE("Link: a handler that returns early resets its stream") { check_both(&handler_returns_early, &return_early); }

TEST_CASE("Link: a handler that throws ends only its connection") { check_both(&failures_stay_apart, &test_handler); }

TEST_CASE("Link: a dial fails if the peer id differs, and after the timeout") { check_both(&dials, &test_handler); }

TEST_CASE("Link: dials fail while the other side does not serve") { check_both(&without_serving, {}); }

TEST_CASE("Link: closing it fails its streams on both sides") {
  WriterPressure pressure;
  const net::RequestHandler handler = [&pressure](net::ServerStream& stream, runtime::CancellationToken token) {
    return write_endlessly(pressure, stream, std::move(token));
  };
  check_both([&pressure](LinkPair& pair) { return closes(pressure, pair); }, handler);
}

TEST_CASE("Link: the end of serving cancels handlers and closes connections") {
  WriterPressure pressure;
  const net::RequestHandler handler = [&pressure](net::ServerStream& stream, runtime::CancellationToken token) {
    return write_endlessly(pressure, stream, std::move(token));
  };
  check_both([&pressure](LinkPair& pair) { return serving_ends(pressure, pair); }, handler);
}

TEST_CASE("Link: cancelling at any moment leaves it usable") { check_both(&cancelled_anywhere, &test_handler); }
