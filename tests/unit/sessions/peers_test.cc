// Peers with reports from the tests: no network, no session streams.
#include "libpeer/sessions/peers.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>

#include "libpeer/base/fault.h"
#include "support/net/table_resolver.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kChunks = 4;

PeerId id_of(std::uint8_t number) {
  PeerId id;
  id.bytes[0] = number;
  return id;
}
Digest version_of(std::uint8_t number) {
  Digest version;
  version.bytes[0] = number;
  return version;
}
protocol::GameSummary game_of(const std::string& id) {
  protocol::GameSummary game;
  game.id = id;
  game.version = version_of(1);
  game.size = 1;
  game.files = 1;
  return game;
}

/// A transport whose dials throw, as no dial of a real endpoint does.
class ThrowingTransport final : public net::Transport {
 public:
  bool stray_cancellation = false;
  std::size_t dials = 0;

  net::SocketAddress local_address() const override { return *net::SocketAddress::parse("10.0.0.1:24747"); }
  runtime::Task<Result<std::unique_ptr<net::Link>>> dial(net::SocketAddress, std::optional<PeerId>,
                                                         runtime::CancellationToken) override {
    ++dials;
    if (stray_cancellation) throw runtime::Cancelled{};
    throw std::runtime_error("told to fail");
    co_return fail(ErrorCode::unreachable, "");
  }
  runtime::Task<void> serve(net::RequestHandler, runtime::CancellationToken) override { co_return; }
};

/// Peers on the control loop, with sessions that only consist of reports and an outgoing channel.
struct Desk {
  struct Session {
    sessions::SessionId id;
    runtime::Channel<protocol::SessionMessage> sent;
    Session(sessions::SessionId i, runtime::Executor& executor) : id(i), sent(executor, 1000) {}
  };

  runtime::ManualExecutor executor;
  std::unique_ptr<Random> random = seeded_random(1);
  runtime::CancellationSource stop;
  runtime::Scope control{executor, "control", stop.token()};
  runtime::Scope net{executor, "net", stop.token()};
  std::size_t lost = 0;
  TableResolver resolver{executor};
  ThrowingTransport transport;
  sessions::Peers peers{control, net, options()};
  sessions::SessionContext context = peers.session_context();
  std::vector<std::unique_ptr<Session>> sessions;
  std::exception_ptr failure;

  Desk() {
    control.spawn("inbox", peers.run_inbox(stop.token()));
    control.spawn("static", peers.run_static(stop.token()));
    executor.run_ready();
  }
  ~Desk() {
    stop.request();
    try {
      run_sync(executor, control.join());
    } catch (...) {
      failure = std::current_exception();
    }
    run_sync(executor, net.join());
  }

  sessions::PeersOptions options() {
    sessions::PeersOptions options;
    options.self = id_of(1);
    options.name = "here";
    options.instance = "1";
    options.random = random.get();
    options.resolver = &resolver;
    options.transport = &transport;
    options.on_event = [this](const api::Event& event) {
      const auto* told = std::get_if<api::PeerEvent>(&event);
      if (told != nullptr && told->kind == api::PeerEvent::Kind::lost) ++lost;
    };
    options.on_sources_changed = [] {};
    return options;
  }

  Session& open(const PeerId& peer) {
    Session& session = *sessions.emplace_back(std::make_unique<Session>(sessions.size() + 1, executor));
    context.reports.send_urgent(sessions::SessionOpened{
        session.id, peer, true, *net::SocketAddress::parse("10.0.0.9:24747"), session.sent.sender(), 0});
    executor.run_ready();
    return session;
  }
  void receive(Session& session, protocol::SessionMessage message) {
    context.reports.send_urgent(sessions::SessionReceived{session.id, std::move(message)});
    executor.run_ready();
  }
  Session& greet(const PeerId& peer, std::uint64_t revision = 1) {
    Session& session = open(peer);
    protocol::Hello hello;
    hello.id = peer;
    hello.name = "there";
    hello.instance = "1";
    hello.revision = revision;
    hello.digest = protocol::library_digest({});
    receive(session, hello);
    static_cast<void>(taken<protocol::Hello>(session));
    return session;
  }
  /// The messages of that type sent since the last call.
  template <class M>
  static std::vector<M> taken(Session& session) {
    std::vector<M> found;
    while (auto message = session.sent.try_receive()) {
      if (auto* wanted = std::get_if<M>(&*message)) found.push_back(std::move(*wanted));
    }
    return found;
  }
  protocol::Holdings holdings(std::uint8_t version, std::vector<protocol::HeldRun> runs) const {
    return {"game", version_of(version), kChunks, std::move(runs)};
  }
  std::size_t held_by_sources(std::uint8_t version) {
    std::size_t count = 0;
    for (const auto& source : peers.table().sources("game", version_of(version))) {
      if (source.holds) count += static_cast<std::size_t>(std::ranges::count(*source.holds, true));
    }
    return count;
  }
};

}  // namespace

TEST_CASE("A peer's new session begins without the holdings that it announced in the old one") {
  Desk desk;
  desk.peers.holdings().holdings_begin("game", version_of(1), std::vector<bool>(kChunks));
  Desk::Session& first = desk.greet(id_of(9));
  desk.receive(first, desk.holdings(1, {{0, 3}}));
  CHECK(desk.held_by_sources(1) == 3);
  Desk::Session& second = desk.greet(id_of(9));
  CHECK(desk.lost == 0);
  CHECK(desk.peers.table().sources("game", version_of(1)).empty());
  desk.receive(second, desk.holdings(1, {{3, 1}}));
  CHECK(desk.held_by_sources(1) == 1);
}

TEST_CASE("A peer's new session begins without the partial update of the old one") {
  Desk desk;
  Desk::Session& first = desk.greet(id_of(9), 3);
  protocol::LibraryUpdate update;
  update.base = 3;
  update.revision = 4;
  update.games = {game_of("half")};
  update.last = false;
  desk.receive(first, update);
  Desk::Session& second = desk.greet(id_of(9), 3);
  CHECK(desk.lost == 0);
  update.games = {game_of("whole")};
  update.digest = protocol::library_digest(update.games);
  update.last = true;
  desk.receive(second, update);
  CHECK(Desk::taken<protocol::LibraryRequest>(second).empty());
  const auto& games = desk.peers.table().find(id_of(9))->library.games;
  CHECK(games.size() == 1);
  CHECK(games.contains("whole"));
}

TEST_CASE("A peer that changes to another version no longer receives our holdings") {
  Desk desk;
  desk.peers.holdings().holdings_begin("game", version_of(1), std::vector<bool>(kChunks));
  Desk::Session& session = desk.greet(id_of(9));
  desk.receive(session, desk.holdings(1, {{0, 1}}));
  desk.peers.holdings().holdings_grow("game", 0, 1);
  desk.executor.advance(1s);
  CHECK_FALSE(Desk::taken<protocol::Holdings>(session).empty());
  desk.receive(session, desk.holdings(2, {{0, 1}}));
  CHECK(desk.peers.table().sources("game", version_of(1)).empty());
  desk.peers.holdings().holdings_grow("game", 1, 1);
  desk.executor.advance(2s);
  CHECK(Desk::taken<protocol::Holdings>(session).empty());
  // If it changes back, it receives all holdings again.
  desk.receive(session, desk.holdings(1, {{0, 1}}));
  const auto told = Desk::taken<protocol::Holdings>(session);
  REQUIRE(told.size() == 1);
  CHECK(told[0].runs == std::vector<protocol::HeldRun>{{0, 2}});
}

TEST_CASE("A download that begins right after another of the same game ends the other one for all peers") {
  Desk desk;
  Desk::Session& session = desk.greet(id_of(9));
  desk.peers.holdings().holdings_begin("game", version_of(1), std::vector<bool>(kChunks));
  desk.receive(session, desk.holdings(1, {{0, 2}}));
  desk.peers.holdings().holdings_end("game");
  static_cast<void>(Desk::taken<protocol::Holdings>(session));
  desk.peers.holdings().holdings_begin("game", version_of(2), std::vector<bool>(kChunks + 1));
  bool ended = false;
  bool begun = false;
  while (auto message = session.sent.try_receive()) {
    if (const auto* end = std::get_if<protocol::HoldingsEnd>(&*message)) ended = end->version == version_of(1);
    const auto* holdings = std::get_if<protocol::Holdings>(&*message);
    if (holdings != nullptr) begun = ended && holdings->version == version_of(2) && holdings->chunks == kChunks + 1;
  }
  CHECK(ended);
  CHECK(begun);
  CHECK(desk.peers.table().sources("game", version_of(1)).empty());
  desk.peers.holdings().holdings_grow("game", kChunks, 1);  // the new version has one more chunk
  desk.executor.advance(2s);
  CHECK(Desk::taken<protocol::Holdings>(session).empty());  // the peer follows the old version, not this one
}

TEST_CASE("A dial that throws, or throws a stray cancellation, fails alone and ends no session") {
  for (const bool stray : {false, true}) {
    INFO(stray);
    Desk desk;
    desk.transport.stray_cancellation = stray;
    Desk::Session& session = desk.greet(id_of(9));
    static_cast<void>(Desk::taken<protocol::Pong>(session));
    const auto connected = run_sync(desk.executor, desk.peers.connect("10.0.0.7:24747", desk.stop.token()));
    CHECK(desk.transport.dials >= 1);
    REQUIRE_FALSE(connected.has_value());
    CHECK(connected.error().message.contains(stray ? "the session failed" : "the session failed: told to fail"));
    desk.receive(session, protocol::Ping{1});
    CHECK(Desk::taken<protocol::Pong>(session).size() == 1);
    // It is dialed again.
    const std::size_t dials = desk.transport.dials;
    desk.executor.advance(5min);
    CHECK(desk.transport.dials > dials);
  }
}

TEST_CASE("A Goodbye may arrive at any step between the check of a silent peer and its dial") {
  // Negative: steps that the Goodbye has been on its way when the timer of the check fires.
  for (int steps = -4; steps <= 8; ++steps) {
    INFO(steps);
    Desk desk;
    Desk::Session& session = desk.greet(id_of(9));
    desk.executor.advance(1ms);
    desk.peers.network_changed({"10.0.0.2:24747"});
    desk.executor.advance(1s - 1ns);
    const auto leave = [&] {
      desk.context.reports.send_urgent(sessions::SessionReceived{session.id, protocol::Goodbye{"stopping"}});
    };
    if (steps < 0) leave();
    for (int i = steps; i < -1; ++i) desk.executor.step();
    REQUIRE(desk.executor.advance_to_next_timer());
    for (int i = 0; i < steps; ++i) desk.executor.step();
    if (steps >= 0) leave();
    desk.executor.advance(1s);
    CHECK(desk.peers.list().empty());
  }
}

#if PEERD_TEST_HOOKS

TEST_CASE("A message whose handling fails ends its session, and no other peer's") {
  Desk desk;
  Desk::Session& one = desk.greet(id_of(8));
  Desk::Session& two = desk.greet(id_of(9));
  static_cast<void>(Desk::taken<protocol::Pong>(two));
  REQUIRE(fault::arm("session message"));
  desk.receive(one, protocol::Ping{1});
  CHECK(fault::armed("session message") == 0);
  // The session is closed: its messages get no answer, and its channel accepts none.
  CHECK(Desk::taken<protocol::Pong>(one).empty());
  desk.receive(one, protocol::Ping{2});
  CHECK(Desk::taken<protocol::Pong>(one).empty());
  CHECK_FALSE(one.sent.sender().try_send(protocol::Ping{3}));
  desk.receive(two, protocol::Ping{4});
  CHECK(Desk::taken<protocol::Pong>(two).size() == 1);
}

#endif

TEST_CASE("Peers that are turned away are listed up to a limit") {
  constexpr std::size_t kListed = 256;
  Desk desk;
  for (std::size_t i = 0; i < kListed + 10; ++i) {
    PeerId id = id_of(2);
    id.bytes[1] = static_cast<std::uint8_t>(i);
    id.bytes[2] = static_cast<std::uint8_t>(i >> 8);
    desk.context.reports.send_urgent(sessions::SessionDenied{0, id, *net::SocketAddress::parse("10.0.0.9:24747")});
    desk.executor.run_ready();
  }
  CHECK(desk.peers.list().size() == kListed);
}
