// Both ends of a session's stream, over a network in memory. The test plays the control loops.
#include "libpeer/sessions/session_stream.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "libpeer/sessions/frame_meter.h"
#include "support/net/memory_network.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

PeerId id_of(std::uint8_t number) {
  PeerId id;
  id.bytes[0] = number;
  return id;
}

/// A peer without a control loop: the test reads its reports.
struct StreamSide {
  std::unique_ptr<MemoryTransport> transport;
  runtime::Channel<sessions::SessionReport> reports;
  sessions::SessionContext context;
  std::optional<runtime::Channel<protocol::SessionMessage>::Sender> out;

  StreamSide(MemoryNetwork& network, runtime::Scope& scope, const std::string& address, std::uint8_t number)
      : transport(network.attach(scope, *net::SocketAddress::parse(address), id_of(number))),
        reports(scope.executor(), 1),
        context(&scope, reports.sender()) {
    scope.spawn("transport", transport->run(scope.token()));
  }
  /// The next report of that type; null if another one or none is there.
  template <class R>
  std::optional<R> next() {
    auto report = reports.try_receive();
    if (!report || !std::holds_alternative<R>(*report)) return std::nullopt;
    return std::move(std::get<R>(*report));
  }
};

struct CountingWorkers final : runtime::Workers {
  explicit CountingWorkers(runtime::ManualExecutor& executor) : workers(executor, 1, 50ms) {}
  void submit(Job job) override {
    ++submitted;
    workers.submit(std::move(job));
  }
  runtime::ManualWorkers workers;
  int submitted = 0;
};

struct StreamPair {
  runtime::ManualExecutor executor;
  CountingWorkers workers{executor};
  runtime::CancellationSource stop;
  runtime::Scope scope{executor, "test", stop.token()};
  MemoryNetwork network{executor};
  StreamSide server{network, scope, "10.0.0.1:24747", 1};
  StreamSide client{network, scope, "10.0.0.2:24747", 2};
  std::optional<sessions::DialEnd> end;

  StreamPair() {
    server.context.workers = &workers;
    net::RequestHandler accept = [this](net::ServerStream& stream, runtime::CancellationToken token) {
      return sessions::accept_session(server.context, stream, std::move(token));
    };
    scope.spawn("serve", server.transport->serve(std::move(accept), scope.token()));
    executor.run_ready();
    scope.spawn("dial", dial(*this, scope.token()));
    executor.run_ready();
    executor.advance(100ms);
    server.out = server.next<sessions::SessionOpened>().value().out;
    client.out = client.next<sessions::SessionOpened>().value().out;
  }
  ~StreamPair() {
    stop.request();
    run_sync(executor, scope.join());
  }
  static runtime::Task<void> dial(StreamPair& pair, runtime::CancellationToken token) {
    const net::SocketAddress address = *net::SocketAddress::parse("10.0.0.1:24747");
    pair.end = co_await sessions::dial_session(pair.client.context, pair.client.transport.get(), address, id_of(1), 7,
                                               std::move(token));
  }
  void settle() {
    executor.run_ready();
    executor.advance(100ms);
  }
};

}  // namespace

TEST_CASE("A peer that is not handled in time is held back, and none of its messages is lost or reordered") {
  constexpr std::uint64_t kMessages = 100;
  StreamPair pair;
  for (std::uint64_t i = 0; i < kMessages; ++i) REQUIRE(pair.client.out->try_send(protocol::Ping{i}));
  pair.settle();
  std::vector<sessions::SessionReceived> unhandled;
  while (auto received = pair.server.next<sessions::SessionReceived>()) unhandled.push_back(std::move(*received));
  CHECK(unhandled.size() == sessions::kMaxUnhandledFrames);
  pair.settle();
  CHECK_FALSE(pair.server.next<sessions::SessionReceived>().has_value());  // taken from the channel, but not handled
  std::uint64_t expected = 0;
  while (!unhandled.empty()) {
    CHECK(std::get<protocol::Ping>(unhandled.front().message).nonce == expected++);
    unhandled.erase(unhandled.begin());
    pair.executor.run_ready();
    while (auto received = pair.server.next<sessions::SessionReceived>()) unhandled.push_back(std::move(*received));
    CHECK(unhandled.size() <= sessions::kMaxUnhandledFrames);
  }
  CHECK(expected == kMessages);
}

TEST_CASE("A held-back session resumes without waiting for a timer") {
  StreamPair pair;
  for (std::uint64_t i = 0; i <= sessions::kMaxUnhandledFrames; ++i)
    REQUIRE(pair.client.out->try_send(protocol::Ping{i}));
  pair.settle();
  for (std::size_t i = 0; i < sessions::kMaxUnhandledFrames; ++i)
    CHECK(pair.server.next<sessions::SessionReceived>().has_value());
  const runtime::TimePoint before = pair.executor.now();
  pair.executor.run_ready();
  CHECK(pair.server.next<sessions::SessionReceived>().has_value());
  CHECK(pair.executor.now() == before);
}

TEST_CASE("A Goodbye ends the session on both sides, after everything that was sent before it") {
  StreamPair pair;
  REQUIRE(pair.client.out->try_send(protocol::Ping{1}));
  REQUIRE(pair.client.out->try_send(protocol::Goodbye{"stopping"}));
  pair.settle();
  CHECK(pair.server.next<sessions::SessionReceived>().has_value());
  CHECK(pair.server.next<sessions::SessionReceived>().has_value());
  CHECK(pair.server.next<sessions::SessionClosed>().value().reason.message == "the peer said goodbye");
  CHECK(pair.client.next<sessions::SessionClosed>().has_value());
  CHECK(pair.end.has_value());
}

TEST_CASE("A session that floods is held back to a number of frames a second, and loses none") {
  StreamPair pair;
  std::uint64_t sent = 0;
  std::uint64_t handled = 0;
  const auto send_and_handle = [&] {
    while (pair.client.out->try_send(protocol::Ping{sent})) ++sent;
    pair.executor.advance(1ms);
    while (auto received = pair.server.next<sessions::SessionReceived>()) {
      REQUIRE(std::get<protocol::Ping>(received->message).nonce == handled++);
      received.reset();
      pair.executor.run_ready();
    }
  };
  for (int i = 0; i < 1'000; ++i) send_and_handle();
  const auto burst = static_cast<std::uint64_t>(protocol::kFramesBurst + protocol::kFramesPerSecond);
  CHECK(handled > burst - 10);
  CHECK(handled <= burst + 1);
  CHECK_FALSE(pair.end.has_value());
}

TEST_CASE("The bytes of a session's frames are held back to a rate, one past the burst") {
  sessions::FrameMeter meter;
  const runtime::TimePoint now{1h};
  for (int i = 0; i < 16; ++i) CHECK(meter.charge(1 << 20, now) == runtime::Duration{});
  CHECK(meter.charge(1 << 20, now) == 1s);
}

TEST_CASE("A peer that sends no Hello within 5 s loses its session") {
  StreamPair pair;
  REQUIRE(pair.client.out->try_send(protocol::Ping{1}));
  pair.executor.advance(sessions::kHelloWait - 1s);
  REQUIRE(pair.server.next<sessions::SessionReceived>().has_value());
  CHECK_FALSE(pair.server.next<sessions::SessionClosed>().has_value());
  pair.executor.advance(1s);
  const auto closed = pair.server.next<sessions::SessionClosed>();
  REQUIRE(closed.has_value());
  CHECK(closed->reason.message == "the peer sent no Hello within 5 s");
}

TEST_CASE("A large frame is decoded on a worker, and the order of messages stays") {
  StreamPair pair;
  protocol::LibraryUpdate large;
  large.revision = 1;
  for (std::size_t i = 0; i < protocol::kMaxGamesPerUpdate; ++i) {
    protocol::GameSummary game;
    game.id = "game " + std::to_string(i);
    large.games.push_back(game);
  }
  REQUIRE(protocol::encode(large).size() > protocol::kMaxFrameBytesOnLoop);
  protocol::Hello hello;
  hello.id = id_of(2);
  hello.name = "there";
  hello.instance = "1";
  REQUIRE(pair.client.out->try_send(hello));
  REQUIRE(pair.client.out->try_send(large));
  REQUIRE(pair.client.out->try_send(protocol::Ping{7}));
  pair.settle();
  pair.settle();
  const auto next = [&] { return pair.server.next<sessions::SessionReceived>().value(); };
  CHECK(std::holds_alternative<protocol::Hello>(next().message));
  CHECK(std::holds_alternative<protocol::LibraryUpdate>(next().message));
  CHECK(std::holds_alternative<protocol::Ping>(next().message));
  CHECK(pair.workers.submitted == 1);
}
