#include "libpeer/sessions/session_slots.h"

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "unit/sessions/session_machine.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;

namespace {
PeerId numbered(std::size_t number) {
  PeerId id;
  id.bytes[0] = static_cast<std::uint8_t>(number >> 8);
  id.bytes[1] = static_cast<std::uint8_t>(number);
  return id;
}
net::SocketAddress address(const std::string& text) { return *net::SocketAddress::parse(text); }
}  // namespace

TEST_CASE("A peer id has a few sessions at a time, one past the limit is refused until one ends") {
  const auto slots = std::make_shared<SessionSlots>();
  std::vector<SessionSlot> held;
  for (std::size_t i = 0; i < kMaxSessionsPerPeer; ++i)
    held.push_back(std::move(*slots->open(numbered(1), address("10.0.0.1:1"))));
  CHECK(slots->open(numbered(1), address("10.0.0.2:1")).error().code == ErrorCode::busy);
  CHECK(slots->open(numbered(2), address("10.0.0.1:1")).has_value());
  held.pop_back();
  CHECK(slots->open(numbered(1), address("10.0.0.1:1")).has_value());
}

TEST_CASE("One machine with many ids gets half of the session slots, and others still get theirs") {
  const auto slots = std::make_shared<SessionSlots>();
  std::vector<SessionSlot> held;
  std::size_t peer = 0;
  for (; peer < 10'000; ++peer) {
    auto slot = slots->open(numbered(peer), address("[fd00::" + std::to_string(peer % 1000) + "]:1"));
    if (!slot) break;
    held.push_back(std::move(*slot));
  }
  CHECK(held.size() == kMaxInboundSessions / 2);
  for (int i = 0; i < 100; ++i) {
    auto slot = slots->open(numbered(++peer), address("10.0.0.1:1"));
    REQUIRE(slot.has_value());
    held.push_back(std::move(*slot));
  }
}

TEST_CASE("The sessions of one account share a meter") {
  const auto slots = std::make_shared<SessionSlots>();
  const auto one = slots->open(numbered(1), address("10.0.0.1:1"));
  const auto same = slots->open(numbered(2), address("10.0.0.1:2"));
  const auto other = slots->open(numbered(2), address("10.0.0.2:1"));
  CHECK(one->meter() == same->meter());
  CHECK(one->meter() != other->meter());
}
