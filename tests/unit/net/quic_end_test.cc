// How streams and connections end: resets, cancellation, refusals, closes and shutdown.
#include <catch2/catch_test_macros.hpp>

#include "quic_pair.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const runtime::CancellationToken kNever;

// Records what happened to a handler's token and writes.
struct Witness {
  bool started = false, cancelled = false, write_failed = false;
  runtime::Event ended;
};

runtime::Task<void> write_for_ever(Witness& witness, net::ServerStream& stream, runtime::CancellationToken token) {
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

net::RequestHandler handler_of(Witness& witness) {
  return [&witness](net::ServerStream& stream, runtime::CancellationToken token) {
    return write_for_ever(witness, stream, std::move(token));
  };
}

runtime::Task<std::unique_ptr<net::ClientStream>> ask(net::Link& link, std::string path) {
  const net::RequestHead head{"GET", std::move(path), {}};
  auto asking = link.request(head, false, kNever);
  auto stream = co_await asking;
  REQUIRE(stream.has_value());
  co_return std::move(*stream);
}

runtime::Task<void> client_resets(Witness& witness, QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> give_up(net::ServerStream& stream, runtime::CancellationToken token) {
  if (stream.request().path == "/silent") co_return;
  net::ResponseHead head;
  head.content_length = 5 << 20;
  static_cast<void>(stream.respond(head, true));
  auto writing = stream.writer().write(pattern(1000), token);
  static_cast<void>(co_await writing);
}

runtime::Task<void> server_resets(QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> wrong_id(QuicPair& pair) {
  auto dialling = pair.client.endpoint().dial(pair.server.address(), pair.client.id(), kNever);
  const auto link = co_await dialling;
  REQUIRE(!link.has_value());
  CHECK(link.error().code == ErrorCode::refused);
  CHECK(link.error().message.find(pair.server.id().brief()) != std::string::npos);
}

runtime::Task<void> without_certificate(QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
  auto getting = get(*link, "/get?size=10");
  const auto reply = co_await getting;
  REQUIRE(reply.has_value());
  CHECK(reply->head.fields.at(0).value == "none");
}

runtime::Task<void> handler_throws(QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
  auto dialling_other = pair.link();
  auto other = co_await dialling_other;
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

runtime::Task<void> dead_address(QuicPair& pair) {
  const runtime::TimePoint start = pair.executor.now();
  auto dialling = pair.client.endpoint().dial(sim_address(99), std::nullopt, kNever);
  const auto link = co_await dialling;
  REQUIRE(!link.has_value());
  CHECK(link.error().code == ErrorCode::unreachable);
  CHECK(pair.executor.now() - start >= net::kDialTimeout);
  CHECK(pair.executor.now() - start <= net::kDialTimeout + 1s);
}

runtime::Task<void> nobody_serves(QuicPair& pair) {
  auto dialling = pair.client.endpoint().dial(pair.server.address(), std::nullopt, kNever);
  const auto link = co_await dialling;
  REQUIRE(!link.has_value());
  CHECK(link.error().code == ErrorCode::unreachable);
}

runtime::Task<void> client_closes(Witness& witness, QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> server_stops(Witness& witness, QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> network_dies(Witness& witness, SimNetwork& network, QuicPair& pair) {
  auto dialling = pair.link();
  auto link = co_await dialling;
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

runtime::Task<void> dial_and_cancel(QuicPair& pair, bool& finished, runtime::CancellationToken token) {
  try {
    auto dialling = pair.client.endpoint().dial(pair.server.address(), pair.server.id(), token);
    auto link = co_await dialling;
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
  auto dialling = pair.link();
  auto link = co_await dialling;
  auto getting = get(*link, "/get?size=1000");
  const auto reply = co_await getting;
  CHECK(reply.has_value());
}

// Closes the endpoint at a later moment each time. No task and no timer may be left.
runtime::Task<void> stop_after(runtime::Duration after, QuicPair& pair, bool& finished) {
  runtime::Scope scope(pair.scope, "load");
  runtime::CancellationSource stop;
  scope.spawn("load", [](QuicPair& p, runtime::CancellationToken token, bool& done) -> runtime::Task<void> {
    auto dialling = p.client.endpoint().dial(p.server.address(), std::nullopt, token);
    auto link = co_await dialling;
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

TEST_CASE("A client that drops a stream stops its handler") {
  Witness witness;
  const auto body = [&witness](QuicPair& pair) { return client_resets(witness, pair); };
  SECTION("simulated") {
    SimPair sim;
    sim.run({body, handler_of(witness)});
  }
  SECTION("loopback") { run_loopback_pair({body, handler_of(witness)}); }
}

TEST_CASE("A handler that returns early resets its stream") {
  SimPair sim;
  sim.run({&server_resets, &give_up});
}

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

TEST_CASE("A handler that throws ends only its connection") {
  SimPair sim;
  sim.run({&handler_throws, &test_handler});
}

TEST_CASE("Dialing a dead address fails after the dial timeout") {
  SimPair sim;
  sim.run({&dead_address, &test_handler});
}

TEST_CASE("An endpoint that does not serve refuses clients") {
  SimPair sim;
  sim.run({&nobody_serves, {}});
}

TEST_CASE("Closing a link fails its streams on both sides") {
  Witness witness;
  SimPair sim;
  sim.run({[&witness](QuicPair& pair) { return client_closes(witness, pair); }, handler_of(witness)});
}

TEST_CASE("The end of serving cancels handlers and closes connections") {
  Witness witness;
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
  Witness witness;
  SimPair sim;
  sim.run({[&](QuicPair& pair) { return network_dies(witness, sim.network, pair); }, handler_of(witness)});
}

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
               auto dialling = p.link();
               auto link = co_await dialling;
               s.network.block_sends(p.client.address());
               s.network.block_sends(p.server.address());
               link->close("never heard");
             }(sim, pair);
           },
           &test_handler});
}
