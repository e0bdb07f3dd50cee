#include "libpeer/discovery/record_table.h"

#include <catch2/catch_test_macros.hpp>
#include <map>

#include "libpeer/base/random.h"

using namespace peer;
using namespace std::chrono_literals;
using discovery::Found;
using discovery::Instance;
using discovery::Record;
using discovery::RecordTable;

namespace {

PeerId id_of(unsigned number) {
  PeerId id;
  id.bytes[0] = static_cast<std::uint8_t>(number);
  id.bytes[1] = static_cast<std::uint8_t>(number >> 8);
  id.bytes[2] = static_cast<std::uint8_t>(number >> 16);
  return id;
}
Record record_of(unsigned number, std::uint64_t revision = 1) {
  return {id_of(number), "peer " + std::to_string(number), 1, revision};
}
net::SocketAddress at(const std::string& text) { return *net::SocketAddress::parse(text); }

/// A table, and the peers that it reported.
struct Fixture {
  std::map<PeerId, Found> seen;
  unsigned reported = 0;
  runtime::TimePoint now{};
  RecordTable table{id_of(1), [this](const PeerId& id, const std::optional<Found>& found) {
                      ++reported;
                      if (found) {
                        seen[id] = *found;
                      } else {
                        REQUIRE(seen.erase(id) == 1);
                      }
                    }};

  static Instance instance(const std::string& name, int interface = 2, int family = 0) {
    return {name, "local", interface, family};
  }
  void resolve(const Instance& instance, const Record& record, const std::string& address) {
    table.appeared(instance);
    const auto next = table.next(now, false);
    REQUIRE(next == instance);
    table.resolved(instance, record, at(address));
  }
};

}  // namespace

TEST_CASE("The addresses of a peer's instances are merged by its id") {
  Fixture f;
  f.resolve(Fixture::instance("a", 2, 1), record_of(5), "[fd00::5]:7");
  f.resolve(Fixture::instance("a", 2, 0), record_of(5), "10.0.0.5:7");
  f.resolve(Fixture::instance("a", 3, 0), record_of(5), "10.1.0.5:7");
  f.resolve(Fixture::instance("a", 4, 0), record_of(5), "10.1.0.5:7");
  REQUIRE(f.seen.size() == 1);
  CHECK(f.seen[id_of(5)].addresses ==
        std::vector{at("10.0.0.5:7"), at("10.1.0.5:7"), at("[fd00::5]:7")});  // without duplicates
  CHECK(f.reported == 3);
  f.table.gone(Fixture::instance("a", 2, 0));
  CHECK(f.seen[id_of(5)].addresses.size() == 2);
  for (const int interface : {2, 3, 4}) {
    for (const int family : {0, 1}) f.table.gone(Fixture::instance("a", interface, family));
  }
  CHECK(f.seen.empty());
  CHECK(f.table.instances() == 0);
  CHECK(f.table.peers() == 0);
}

TEST_CASE("A peer's own record is recognized by its id and ignored") {
  Fixture f;
  f.resolve(Fixture::instance("me"), record_of(1), "10.0.0.1:7");
  CHECK(f.reported == 0);
  CHECK(f.table.instances() == 0);
}

TEST_CASE("A changed record is resolved again and reported once") {
  Fixture f;
  f.resolve(Fixture::instance("a"), record_of(5, 1), "10.0.0.5:7");
  f.table.changed("a");
  CHECK(f.seen[id_of(5)].record.revision == 1);  // stays until the new one is resolved
  const auto next = f.table.next(f.now, false);
  REQUIRE(next.has_value());
  f.table.changed("a");  // again, while it is resolved
  f.table.resolved(*next, record_of(5, 2), at("10.0.0.6:7"));
  CHECK(f.seen[id_of(5)].record.revision == 2);
  CHECK(f.seen[id_of(5)].addresses == std::vector{at("10.0.0.6:7")});
  REQUIRE(f.table.next(f.now, false) == next);
  f.table.resolved(*next, record_of(5, 2), at("10.0.0.6:7"));
  CHECK(f.reported == 2);
  CHECK_FALSE(f.table.next(f.now, false).has_value());
}

TEST_CASE("An instance whose id changes moves from one peer to another") {
  Fixture f;
  f.resolve(Fixture::instance("a"), record_of(5), "10.0.0.5:7");
  f.table.changed("a");
  f.table.resolved(*f.table.next(f.now, false), record_of(6), at("10.0.0.5:7"));
  CHECK(f.seen.size() == 1);
  CHECK(f.seen.contains(id_of(6)));
}

TEST_CASE("Another service with a peer's id adds its address, and does not rename the peer") {
  Fixture f;
  f.resolve(Fixture::instance("a"), record_of(5), "10.0.0.5:7");
  Record forged = record_of(5, 99);
  forged.name = "forged";
  f.resolve(Fixture::instance("b"), forged, "10.0.0.66:7");
  CHECK(f.seen[id_of(5)].record == record_of(5));
  CHECK(f.seen[id_of(5)].addresses.size() == 2);
  f.table.gone(Fixture::instance("a"));
  CHECK(f.seen[id_of(5)].addresses == std::vector{at("10.0.0.66:7")});
}

TEST_CASE("An instance that does not answer is tried a few more times, later") {
  Fixture f;
  f.table.appeared(Fixture::instance("a"));
  for (unsigned attempt = 1; attempt <= RecordTable::kMaxAttempts; ++attempt) {
    const auto next = f.table.next(f.now, false);
    REQUIRE(next.has_value());
    f.table.unanswered(*next, f.now);
    CHECK_FALSE(f.table.next(f.now, false).has_value());
    if (const auto turn = f.table.next_turn(f.now)) f.now = *turn;
  }
  CHECK(f.table.instances() == 0);
  CHECK_FALSE(f.table.complete());  // browsing must start again
  CHECK(f.table.complete());
}

TEST_CASE("An instance that disappears while it is resolved is not reported") {
  Fixture f;
  f.table.appeared(Fixture::instance("a"));
  const auto next = f.table.next(f.now, false);
  f.table.gone(*next);
  f.table.resolved(*next, record_of(5), at("10.0.0.5:7"));
  f.table.unanswered(*next, f.now);
  f.table.useless(*next);
  CHECK(f.reported == 0);
  CHECK(f.table.instances() == 0);
}

TEST_CASE("A flood of forged records stays within bounds, and a proven peer comes first") {
  Fixture f;
  f.resolve(Fixture::instance("known"), record_of(5), "10.0.0.5:7");
  f.table.prefer(id_of(5));
  f.table.gone(Fixture::instance("known"));
  CHECK(f.seen.empty());
  const auto random = seeded_random(3);
  unsigned resolved = 0;
  for (unsigned i = 0; i < 60'000; ++i) {
    f.now += 1ms;  // 1,000 records a second
    f.table.appeared(Fixture::instance("junk " + std::to_string(i)));
    if (random->below(4) == 0) f.table.gone(Fixture::instance("junk " + std::to_string(random->below(i + 1))));
    while (const auto next = f.table.next(f.now, false)) {
      ++resolved;
      switch (random->below(4)) {
        case 0: f.table.useless(*next); break;
        case 1: f.table.unanswered(*next, f.now); break;
        default: f.table.resolved(*next, record_of(1000 + i), at("10.0.0.99:7"));
      }
    }
    REQUIRE(f.table.instances() <= RecordTable::kMaxInstances);
    REQUIRE(f.table.peers() <= discovery::kMaxFoundPeers);
    REQUIRE(f.seen.size() <= discovery::kMaxFoundPeers);
    if (i != 30'000) continue;
    f.table.appeared(Fixture::instance("known"));
    REQUIRE(f.table.next(f.now, true) == Fixture::instance("known"));
    f.table.resolved(Fixture::instance("known"), record_of(5), at("10.0.0.5:7"));
  }
  CHECK(resolved <= RecordTable::kTurnBurst + 60 * RecordTable::kTurnsPerSecond + 1);
  CHECK(f.seen.contains(id_of(5)));  // not forgotten
  f.table.clear();
  CHECK(f.seen.empty());
}

TEST_CASE("The addresses of one peer are bounded, and the newest are kept") {
  Fixture f;
  for (int i = 0; i < 100; ++i) {
    f.now += 1s;
    f.resolve(Fixture::instance("n" + std::to_string(i)), record_of(5), "10.0.0." + std::to_string(i + 1) + ":7");
  }
  CHECK(f.seen[id_of(5)].addresses.size() == discovery::kMaxFoundAddresses);
  CHECK(f.seen[id_of(5)].addresses.back() == at("10.0.0.100:7"));
  CHECK(f.table.instances() == discovery::kMaxFoundAddresses);
}

TEST_CASE("An instance that is missing when browsing starts again is gone") {
  Fixture f;
  f.resolve(Fixture::instance("a"), record_of(5), "10.0.0.5:7");
  f.resolve(Fixture::instance("b"), record_of(6), "10.0.0.6:7");
  f.table.keep_only({Fixture::instance("b")});
  CHECK(f.seen.size() == 1);
  CHECK(f.seen.contains(id_of(6)));
  f.table.resolve_again(id_of(6));
  CHECK(f.table.next(f.now, false) == Fixture::instance("b"));
}
