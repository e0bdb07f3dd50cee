#include "libpeer/sessions/liveness.h"

#include <catch2/catch_test_macros.hpp>

#include "unit/sessions/session_machine.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("A new session replaces one that has been silent, and then the route has changed") {
  SessionMachine machine;
  const SessionId old = machine.greet(9, 1);
  CHECK(machine.table.find(id_of(9))->route_generation == 0);
  machine.now += 2s;
  const SessionId fresh = machine.greet(9);  // the older session would win if it were alive
  machine.poll();
  CHECK(machine.closed(old));
  CHECK(machine.table.find(id_of(9))->session == fresh);
  CHECK(machine.table.find(id_of(9))->route_generation == 1);
  machine.sessions.on_closed(old, Error{});
  machine.poll();
  CHECK(machine.events().empty());
}

TEST_CASE("An idle peer is pinged, its answer gives the round trip, and a silent peer is lost") {
  SessionMachine machine;
  const SessionId id = machine.greet(9);
  machine.poll();
  const std::uint64_t nonce = machine.sent<protocol::Ping>(id).at(0).nonce;
  machine.now += 3ms;
  machine.receive(id, protocol::Pong{nonce + 1});
  CHECK_FALSE(machine.table.find(id_of(9))->rtt_ms.has_value());
  machine.receive(id, protocol::Pong{nonce});
  CHECK(machine.table.find(id_of(9))->rtt_ms == 3.0);
  machine.now += 9s;
  machine.check_liveness();
  CHECK(machine.poll().empty());
  machine.now += 1s;
  machine.check_liveness();
  machine.check_liveness();
  machine.poll();
  CHECK(machine.sent<protocol::Ping>(id).size() == 1);  // the second check waits for the answer
  machine.now += 15s;
  machine.check_liveness();
  machine.poll();
  CHECK(machine.closed(id));
  CHECK(machine.events() == Kinds{Kind::lost});
  CHECK(machine.table.find(id_of(9))->state == api::PeerState::unreachable);
}

TEST_CASE("The peer with the higher id leaves the ping to the other one") {
  SessionMachine machine;
  const SessionId id = machine.greet(1);
  machine.poll();
  machine.receive(id, protocol::Pong{machine.sent<protocol::Ping>(id).at(0).nonce});
  machine.now += 13s;
  machine.check_liveness();
  CHECK(machine.poll().empty());
  machine.now += 1s;
  machine.check_liveness();
  machine.poll();
  CHECK(machine.sent<protocol::Ping>(id).size() == 1);
}

TEST_CASE("A session without a Hello is closed after a time limit") {
  SessionMachine machine;
  const SessionId id = machine.open(9);
  machine.now += 24s;
  machine.check_liveness();
  machine.poll();
  CHECK_FALSE(machine.closed(id));
  machine.now += 1s;
  machine.check_liveness();
  machine.poll();
  CHECK(machine.closed(id));
}

TEST_CASE("A peer that has been gone for ten minutes is forgotten, unless it must be kept") {
  for (const bool kept : {false, true}) {
    SessionMachine machine;
    machine.sessions.on_closed(machine.greet(9), Error{});
    machine.now += 10min + 1s;
    machine.sessions.check_liveness([kept](const PeerId&) { return kept; }, machine.now);
    CHECK((machine.table.find(id_of(9)) != nullptr) == kept);
  }
}
