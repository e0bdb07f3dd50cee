#include "libpeer/sessions/library_sync.h"

#include <catch2/catch_test_macros.hpp>

#include "unit/sessions/session_machine.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("A library that differs is requested once, and not again from a peer that returns with the same one") {
  SessionMachine machine;
  protocol::Hello hello = machine.hello(9);
  hello.revision = 2;
  hello.digest = protocol::library_digest({game_of("a")});
  const SessionId id = machine.open(9);
  machine.receive(id, hello);
  machine.poll();
  REQUIRE(machine.sent<protocol::LibraryRequest>(id).size() == 1);
  CHECK(machine.sent<protocol::LibraryRequest>(id)[0].since == 0);
  machine.receive(id, snapshot_of({game_of("a")}, 2));
  machine.sessions.on_closed(id, Error{});
  machine.poll();
  CHECK(machine.events() == Kinds{Kind::lost});
  CHECK(machine.table.find(id_of(9))->library.games.empty());
  const SessionId again = machine.open(9);
  machine.receive(again, hello);
  machine.poll();
  CHECK(machine.sent<protocol::LibraryRequest>(again).empty());
  CHECK(machine.table.find(id_of(9))->library.games.contains("a"));
}

TEST_CASE("An update that does not fit is followed by a request for everything, at most every two seconds") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  protocol::LibraryUpdate wrong = snapshot_of({game_of("a")}, 2);
  wrong.digest = protocol::library_digest({});
  const auto requests = [&] {
    machine.poll();
    machine.receive(id, wrong);
    machine.poll();
    return machine.sent<protocol::LibraryRequest>(id).size();
  };
  CHECK(requests() == 1);
  CHECK(requests() == 0);
  machine.now += 2s;
  CHECK(requests() == 1);
}

TEST_CASE("A peer that requests the library too often is closed") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  for (int i = 0; i < 16; ++i) machine.receive(id, protocol::LibraryRequest{0});
  machine.poll();
  CHECK_FALSE(machine.closed(id));
  CHECK(machine.sent<protocol::LibraryUpdate>(id).size() == 16);
  machine.receive(id, protocol::LibraryRequest{0});
  machine.poll();
  CHECK(machine.closed(id));
  CHECK(machine.sent<protocol::LibraryUpdate>(id).empty());
}

TEST_CASE("A change of the own library is sent as a delta, even if it occurs between the two Hellos") {
  SessionMachine machine;
  const SessionId greeted = machine.greet(8);
  const SessionId opened = machine.open(9);
  machine.poll();
  CHECK(machine.sessions.set_library({game_of("a")}));
  CHECK_FALSE(machine.sessions.set_library({game_of("a")}));
  machine.poll();
  REQUIRE(machine.sent<protocol::LibraryUpdate>(greeted).size() == 1);
  CHECK(machine.sent<protocol::LibraryUpdate>(greeted)[0].base == 1);
  CHECK(machine.sent<protocol::LibraryUpdate>(opened).empty());
  machine.receive(opened, machine.hello(9));
  machine.poll();
  CHECK(machine.sent<protocol::LibraryUpdate>(opened).size() == 1);
}
