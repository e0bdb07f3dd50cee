// The session state machine alone: messages, time and randomness in, actions out.
#include "libpeer/sessions/session_protocol.h"

#include <catch2/catch_test_macros.hpp>

#include "unit/sessions/session_machine.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("A session begins with our Hello, and a peer's Hello connects it") {
  SessionMachine machine;
  const SessionId id = machine.open(9);
  machine.poll();
  REQUIRE(machine.sent<protocol::Hello>(id).size() == 1);
  CHECK(machine.sent<protocol::Hello>(id)[0].id == id_of(kSelf));
  machine.receive(id, machine.hello(9));
  machine.poll();
  CHECK(machine.events() == Kinds{Kind::discovered, Kind::connected});
  CHECK(machine.table.is_connected(id_of(9)));
  CHECK(machine.sent<protocol::Ping>(id).size() == 1);
  CHECK(machine.sent<protocol::LibraryRequest>(id).empty());  // equal digests: there is nothing to request
}

TEST_CASE("A greeted peer is added to the table before its event is emitted, and the ping is the last message") {
  SessionMachine machine;
  const SessionId id = machine.greet(9, 3);
  const auto& actions = machine.poll();
  const auto at = [&](auto matches) { return std::ranges::find_if(actions, matches) - actions.begin(); };
  const auto answered = at(is<DialAnswered>);
  const auto greeted = at(is<PeerGreeted>);
  const auto reported = at(is<ReportPeerEvent>);
  const auto ready = at(is<SessionReady>);
  CHECK(answered < greeted);
  CHECK(greeted < reported);
  CHECK(reported < ready);
  CHECK(machine.of<DialAnswered>().at(0).dial == 3);
  REQUIRE(std::holds_alternative<SendMessage>(actions.back()));
  CHECK(std::get<SendMessage>(actions.back()).session == id);
  CHECK(std::holds_alternative<protocol::Ping>(std::get<SendMessage>(actions.back()).message));
}

TEST_CASE("A session whose first message is not Hello is closed, and its messages are ignored") {
  SessionMachine machine;
  const SessionId id = machine.open(9);
  machine.receive(id, protocol::Ping{7});
  machine.poll();
  CHECK(machine.closed(id));
  machine.receive(id, machine.hello(9));
  CHECK(machine.poll().empty());
  CHECK_FALSE(machine.table.is_connected(id_of(9)));
}

TEST_CASE("A Hello with another id, another protocol, or from this peer itself is refused") {
  SessionMachine machine;
  const auto refused = [&](std::uint8_t peer, const protocol::Hello& hello) {
    const SessionId id = machine.open(peer, 1);
    machine.receive(id, hello);
    machine.poll();
    return machine.sent<protocol::Refusal>(id).size() == 1 && machine.closed(id) &&
           machine.of<DialRefused>().size() == 1;
  };
  CHECK(refused(9, machine.hello(8)));
  CHECK(refused(kSelf, machine.hello(kSelf)));
  CHECK(machine.table.all().empty());
  protocol::Hello later = machine.hello(9);
  later.protocol = protocol::kProtocolVersion + 1;
  CHECK(refused(9, later));
  CHECK(machine.table.find(id_of(9))->state == api::PeerState::refused);
}

TEST_CASE("Of two sessions dialed at once, the one that the lower id dialed stays") {
  for (const std::uint8_t peer : {std::uint8_t{1}, std::uint8_t{9}}) {
    SessionMachine machine;
    const SessionId dialed = machine.open(peer, 1);
    const SessionId inbound = machine.open(peer);
    machine.receive(dialed, machine.hello(peer));
    machine.receive(inbound, machine.hello(peer));
    machine.poll();
    const bool ours_stays = kSelf < peer;
    CHECK(machine.closed(inbound) == ours_stays);
    CHECK(machine.closed(dialed) == !ours_stays);
    CHECK(machine.table.find(id_of(peer))->session == (ours_stays ? dialed : inbound));
    CHECK(machine.events() == Kinds{Kind::discovered, Kind::connected});
  }
}

TEST_CASE("A peer that has restarted is lost and connected again, without its old library") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  machine.receive(id, snapshot_of({game_of("a")}, 2));
  machine.poll();
  CHECK(machine.of<CatalogueChanged>().size() == 1);
  protocol::Hello restarted = machine.hello(9);
  restarted.instance = "2";
  const SessionId again = machine.open(9);
  machine.receive(again, restarted);
  machine.poll();
  CHECK(machine.events() == Kinds{Kind::lost, Kind::connected});
  CHECK(machine.table.find(id_of(9))->library.games.empty());
  CHECK(machine.closed(id));
}

TEST_CASE("A peer that says goodbye is forgotten at once, even if its session is closed already") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  machine.sessions.on_stalled(id);
  machine.poll();
  machine.receive(id, protocol::Goodbye{"stopping"});
  machine.poll();
  CHECK(machine.events() == Kinds{Kind::goodbye});
  CHECK(machine.table.find(id_of(9)) == nullptr);
}

TEST_CASE("A stalled session gets no more messages") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  machine.poll();
  machine.sessions.on_stalled(id);
  machine.receive(id, protocol::Ping{1});
  CHECK(machine.sessions.set_library({game_of("a")}));
  machine.poll();
  CHECK(machine.of<SendMessage>().empty());
}

TEST_CASE("A banned peer is refused before our Hello, and a ban ends its session") {
  SessionMachine machine;
  machine.access.add_ban(id_of(8), {"bad", "it lies"});
  const SessionId refused = machine.open(8, 4);
  machine.poll();
  CHECK(machine.sent<protocol::Hello>(refused).empty());
  CHECK(machine.sent<protocol::Refusal>(refused).size() == 1);
  CHECK(machine.closed(refused));
  CHECK(machine.of<DialRefused>().at(0).dial == 4);
  const SessionId id = machine.greet(9);
  machine.poll();
  const Ban ban{"there", "it lies"};
  machine.access.add_ban(id_of(9), ban);
  machine.sessions.on_banned(id_of(9), ban);
  machine.poll();
  CHECK(machine.sent<protocol::Refusal>(id).size() == 1);
  CHECK(machine.closed(id));
  CHECK(machine.events() == Kinds{Kind::lost, Kind::banned});
  CHECK(machine.table.find(id_of(9))->state == api::PeerState::banned);
}

TEST_CASE("Paired mode refuses a peer that was unpaired while its session was being opened") {
  SessionMachine machine(access::AccessMode::paired);
  const SessionId stranger = machine.open(8);
  machine.poll();
  CHECK(machine.sent<protocol::Refusal>(stranger).size() == 1);
  CHECK(machine.closed(stranger));
  machine.access.add_pairing(id_of(9), "there");
  const SessionId id = machine.greet(9);
  machine.poll();
  CHECK(machine.table.is_connected(id_of(9)));
  machine.access.remove_pairing(id_of(9));
  machine.sessions.on_unpaired(id_of(9));
  machine.poll();
  CHECK(machine.closed(id));
  CHECK(machine.table.find(id_of(9))->state == api::PeerState::refused);
}

TEST_CASE("A dial that was dropped meanwhile opens no session") {
  SessionMachine machine;
  const SessionId id = machine.open(9, 1, false);
  machine.poll();
  CHECK(machine.closed(id));
  CHECK(machine.sent<protocol::Hello>(id).empty());
}

TEST_CASE("A peer that refuses this one is listed with its reason") {
  SessionMachine machine;
  const SessionId id = machine.open(9, 1);
  machine.receive(id, protocol::Refusal{"this peer is banned here"});
  machine.poll();
  CHECK(machine.closed(id));
  CHECK(machine.of<DialAnswered>().size() == 1);
  CHECK(machine.of<DialRefused>().at(0).reason.message == "this peer is banned here");
  CHECK(machine.table.find(id_of(9))->state == api::PeerState::refused);
  CHECK(machine.table.find(id_of(9))->refusal == "this peer is banned here");
}

TEST_CASE("A machine that is leaving says goodbye, reports nothing, and closes new sessions") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  machine.poll();
  machine.sessions.leave();
  machine.poll();
  REQUIRE(machine.sent<protocol::Goodbye>(id).size() == 1);
  CHECK(machine.of<SendMessage>().at(0).urgent);
  CHECK(machine.closed(id));
  machine.sessions.on_closed(id, Error{});
  const SessionId late = machine.open(8);
  machine.poll();
  CHECK(machine.events().empty());
  CHECK(machine.closed(late));
}

TEST_CASE("Disconnecting says goodbye to one peer and loses it") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  machine.poll();
  CHECK(machine.sessions.disconnect(id_of(9)));
  machine.poll();
  CHECK(machine.sent<protocol::Goodbye>(id).size() == 1);
  CHECK(machine.events() == Kinds{Kind::lost});
  CHECK_FALSE(machine.sessions.disconnect(id_of(9)));
}

TEST_CASE("Messages of the exchanges are passed on, from the current session only") {
  SessionMachine machine;
  const SessionId old = machine.greet(9);
  machine.now += 2s;
  const SessionId id = machine.greet(9);
  machine.poll();
  machine.receive(old, protocol::PeerHints{});
  CHECK(machine.poll().empty());
  machine.receive(id, protocol::PeerHints{});
  machine.receive(id, protocol::Holdings{});
  machine.poll();
  REQUIRE(machine.of<ExchangeReceived>().size() == 2);
  CHECK(machine.of<ExchangeReceived>()[0].session == id);
}
