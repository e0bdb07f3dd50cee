// How streams and connections end: resets, closes, and the end of serving.
#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

// Records what happened to a handler's token and writes.
struct HandlerWitness {
  bool started = false, cancelled = false, write_failed = false;
  runtime::Event ended;
};

runtime::Task<void> write_endlessly(HandlerWitness& witness, net::ServerStream& stream,
                                    runtime::CancellationToken token) {
  witness.started = true;
  net::ResponseHead head;
  if (stream.respond(head, true)) {
    const net::SharedBytes piece = pattern(1 << 20);
    try {
      for (;;) {
        auto writing = stream.writer().write(piece, token);
        if (co_await writing) continue;
        witness.write_failed = true;
        break;
      }
    } catch (const runtime::Cancelled&) {
      witness.cancelled = true;
    }
  }
  witness.ended.set();
}

net::RequestHandler handler_of(HandlerWitness& witness) {
  return [&witness](net::ServerStream& stream, runtime::CancellationToken token) {
    return write_endlessly(witness, stream, std::move(token));
  };
}

runtime::Task<std::unique_ptr<net::ClientStream>> ask(net::Link& link, std::string path) {
  const net::RequestHead head{"GET", std::move(path), {}};
  auto asking = link.request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  co_return std::move(*stream);
}

runtime::Task<void> client_resets(HandlerWitness& witness, QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto asking = ask(*link, "/");
  auto stream = co_await asking;
  std::vector<std::uint8_t> buffer(3 << 20);
  auto reading = stream->reader().read(buffer, kNever);
  CHECK((co_await reading) == buffer.size());
  stream.reset();
  co_await witness.ended.wait(kNever);
  CHECK((witness.cancelled || witness.write_failed));
  auto asking_again = ask(*link, "/");  // the connection still works, and its window has not shrunk
  auto again = co_await asking_again;
  std::vector<std::uint8_t> large(8 << 20);
  auto reading_again = again->reader().read(large, kNever);
  CHECK((co_await reading_again) == large.size());
}

runtime::Task<void> return_early(net::ServerStream& stream, runtime::CancellationToken token) {
  if (stream.request().path == "/silent") co_return;
  net::ResponseHead head;
  head.content_length = 5 << 20;
  static_cast<void>(stream.respond(head, true));
  auto writing = stream.writer().write(pattern(1000), token);
  static_cast<void>(co_await writing);
}

runtime::Task<void> server_resets(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto asking = ask(*link, "/part");
  auto stream = co_await asking;
  std::vector<std::uint8_t> buffer(5 << 20);
  auto reading = stream->reader().read(buffer, kNever);
  const auto n = co_await reading;
  REQUIRE(!n.has_value());
  CHECK(n.error().code == ErrorCode::refused);
  auto asking_silent = ask(*link, "/silent");
  auto silent = co_await asking_silent;
  auto responding = silent->response(kNever);
  const auto response = co_await responding;
  REQUIRE(!response.has_value());
  CHECK(response.error().code == ErrorCode::refused);
  // The handler does not read the upload, which is stopped.
  const net::RequestHead head{"POST", "/silent", {}};
  auto uploading = link->request(head, true, kNever);
  auto upload = co_await uploading;
  REQUIRE(upload.has_value());
  auto writing = write_pattern((*upload)->writer(), 200 << 20, 1 << 20, kNever);
  const auto written = co_await writing;
  REQUIRE(!written.has_value());
  CHECK(written.error().code == ErrorCode::refused);
}

runtime::Task<void> handler_throws(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto dialing_other = pair.link();
  auto other = co_await dialing_other;
  auto asking = ask(*link, "/throw");
  auto stream = co_await asking;
  auto responding = stream->response(kNever);
  const auto response = co_await responding;
  CHECK(!response.has_value());
  auto ending = link->ended(kNever);
  const Error error = co_await ending;
  CHECK(error.code == ErrorCode::unreachable);
  CHECK(error.message.find("internal error") != std::string::npos);
  CHECK(error.message.find("a bug") == std::string::npos);
  auto getting = get(*other, "/get?size=10");
  const auto reply = co_await getting;
  CHECK(reply.has_value());
}

runtime::Task<void> client_closes(HandlerWitness& witness, QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto asking = ask(*link, "/");
  auto stream = co_await asking;
  auto responding = stream->response(kNever);
  CHECK((co_await responding).has_value());
  link->close("enough");
  link->close("again");
  auto ending = link->ended(kNever);
  const Error error = co_await ending;
  CHECK(error.message == "enough");
  std::vector<std::uint8_t> buffer(64 << 20);
  auto reading = stream->reader().read(buffer, kNever);
  CHECK(!(co_await reading).has_value());
  co_await witness.ended.wait(kNever);
  CHECK((witness.cancelled || witness.write_failed));
  stream->reader().release(0);
  link.reset();
  stream.reset();  // after its link
}

runtime::Task<void> server_stops(HandlerWitness& witness, QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto asking = ask(*link, "/");
  auto stream = co_await asking;
  auto responding = stream->response(kNever);
  CHECK((co_await responding).has_value());
  auto serving = pair.server.served();
  co_await serving;
  CHECK(witness.cancelled);
  auto ending = link->ended(kNever);
  const Error error = co_await ending;
  CHECK(error.message.find("no longer serving") != std::string::npos);
}

runtime::Task<void> answer_late(runtime::Executor& executor, net::ServerStream& stream,
                                runtime::CancellationToken token) {
  runtime::Event never;
  try {
    co_await never.wait(token);
  } catch (const runtime::Cancelled&) {
    // The response of a handler arrives even if serving ends.
  }
  static_cast<void>(executor);
  net::ResponseHead head;
  head.content_length = 1'000'000;
  if (!stream.respond(head, true)) co_return;
  auto writing = write_pattern(stream.writer(), 1'000'000, 1'000'000, kNever);
  static_cast<void>(co_await writing);
}

runtime::Task<void> last_answer(QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto asking = ask(*link, "/");
  auto stream = co_await asking;
  auto sleeping = runtime::sleep_for(pair.executor, 10ms, kNever);
  co_await sleeping;
  pair.server.stop_serving();
  auto reading = read_pattern(stream->reader(), 1 << 20);
  const auto total = co_await reading;
  REQUIRE(total.has_value());
  CHECK(*total == 1'000'000);
}

runtime::Task<void> network_dies(HandlerWitness& witness, SimNetwork& network, QuicPair& pair) {
  auto dialing = pair.link();
  auto link = co_await dialing;
  auto asking = ask(*link, "/");
  auto stream = co_await asking;
  auto responding = stream->response(kNever);
  CHECK((co_await responding).has_value());
  network.cut(pair.client.address());
  const runtime::TimePoint start = pair.executor.now();
  auto ending = link->ended(kNever);
  const Error error = co_await ending;
  CHECK(error.code == ErrorCode::unreachable);
  CHECK(pair.executor.now() - start > 25s);
  CHECK(pair.executor.now() - start < 40s);
  co_await witness.ended.wait(kNever);
}

}  // namespace

TEST_CASE("A client that drops a stream stops its handler") {
  HandlerWitness witness;
  const auto body = [&witness](QuicPair& pair) { return client_resets(witness, pair); };
  SECTION("simulated") {
    SimPair sim;
    sim.run({body, handler_of(witness)});
  }
  SECTION("loopback") { run_loopback_pair({body, handler_of(witness)}); }
}

TEST_CASE("A handler that returns early resets its stream") {
  SimPair sim;
  sim.run({&server_resets, &return_early});
}

TEST_CASE("A handler that throws ends only its connection") {
  SimPair sim;
  sim.run({&handler_throws, &test_handler});
}

TEST_CASE("Closing a link fails its streams on both sides") {
  HandlerWitness witness;
  SimPair sim;
  sim.run({[&witness](QuicPair& pair) { return client_closes(witness, pair); }, handler_of(witness)});
}

TEST_CASE("The end of serving cancels handlers and closes connections") {
  HandlerWitness witness;
  SimPair sim;
  sim.run({[&witness](QuicPair& pair) { return server_stops(witness, pair); }, handler_of(witness)});
}

TEST_CASE("A response sent when serving ends still arrives") {
  SimPair sim;
  sim.run({&last_answer, [&sim](net::ServerStream& stream, runtime::CancellationToken token) {
             return answer_late(sim.executor, stream, std::move(token));
           }});
}

TEST_CASE("A dead network ends both sides by the idle timeout") {
  HandlerWitness witness;
  SimPair sim;
  sim.run({[&](QuicPair& pair) { return network_dies(witness, sim.network, pair); }, handler_of(witness)});
}
