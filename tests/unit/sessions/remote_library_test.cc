#include "libpeer/sessions/remote_library.h"

#include <catch2/catch_test_macros.hpp>

#include "unit/sessions/session_machine.h"

using namespace peer;
using namespace peer::sessions;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

using Applied = RemoteLibrary::Applied;

/// A library of `count` games that a snapshot has set at revision 1.
struct ListedLibrary {
  RemoteLibrary library;
  std::vector<protocol::GameSummary> games;
  DigestBudget budget;
  runtime::TimePoint now{1h};

  explicit ListedLibrary(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) games.push_back(game_of("game " + std::to_string(100'000 + i)));
    protocol::LibraryUpdate update = snapshot_of(games, 1);
    CHECK(library.apply(update, budget, now) == (count > 0 ? Applied::changed : Applied::unchanged));
  }
  /// A delta that gives the first game another size.
  protocol::LibraryUpdate grow() {
    protocol::LibraryUpdate delta;
    delta.base = library.revision;
    delta.revision = library.revision + 1;
    ++games.front().size;
    delta.games = {games.front()};
    delta.digest = protocol::library_digest(games);
    return delta;
  }
  protocol::LibraryUpdate empty_delta() const {
    protocol::LibraryUpdate delta;
    delta.base = library.revision;
    delta.revision = library.revision + 1;
    delta.digest = protocol::library_digest(games);
    return delta;
  }
};

}  // namespace

TEST_CASE("An empty delta visits no game, whether its digest is right or wrong") {
  ListedLibrary listed(protocol::kMaxGamesPerPeer);
  const protocol::LibraryUpdate delta = listed.empty_delta();
  protocol::LibraryUpdate wrong = delta;
  wrong.digest.bytes[0] ^= 1;
  for (int i = 0; i < 1'000; ++i) {
    CHECK(listed.library.apply(delta, listed.budget, listed.now) == Applied::unchanged);
    CHECK(listed.library.apply(wrong, listed.budget, listed.now) == Applied::gap);
  }
  CHECK(listed.budget.spent() == 0);
}

TEST_CASE("A flood of small deltas visits every game eight times, and then once a second") {
  ListedLibrary listed(protocol::kMaxGamesPerPeer);
  for (int i = 0; i < 8; ++i) CHECK(listed.library.apply(listed.grow(), listed.budget, listed.now) == Applied::changed);
  CHECK(listed.library.verified());
  CHECK(listed.budget.spent() == 8 * protocol::kMaxGamesPerPeer);
  protocol::LibraryUpdate delta = listed.empty_delta();
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    delta.games = {game_of("game 100000")};
    delta.games[0].size = 100 + i;
    delta.digest.bytes[0] = static_cast<std::uint8_t>(i);  // a lie that is not found yet
    delta.base = listed.library.revision;
    delta.revision = delta.base + 1;
    CHECK(listed.library.apply(delta, listed.budget, listed.now) == Applied::changed);
  }
  CHECK(listed.budget.spent() == 8 * protocol::kMaxGamesPerPeer);
  CHECK_FALSE(listed.library.verified());
  CHECK(listed.library.verify(listed.budget, listed.now) == Applied::unchanged);
  listed.now += 1s;
  CHECK(listed.library.verify(listed.budget, listed.now) == Applied::gap);
  CHECK(listed.budget.spent() == 9 * protocol::kMaxGamesPerPeer);
}

TEST_CASE("A digest that could not be checked at once is found to be right later") {
  ListedLibrary listed(10);
  for (int i = 0; i < 9; ++i) CHECK(listed.library.apply(listed.grow(), listed.budget, listed.now) == Applied::changed);
  CHECK_FALSE(listed.library.verified());
  listed.now += 1s;
  CHECK(listed.library.verify(listed.budget, listed.now) == Applied::unchanged);
  CHECK(listed.library.verified());
}

TEST_CASE("A library whose digest was not checked is not remembered") {
  ListedLibrary listed(10);
  for (int i = 0; i < 9; ++i) listed.library.apply(listed.grow(), listed.budget, listed.now);
  protocol::Hello hello;
  hello.revision = listed.library.revision;
  hello.digest = listed.library.digest;
  listed.library.forget();
  CHECK_FALSE(listed.library.recall(hello, false));
  CHECK(listed.library.games.empty());
}

TEST_CASE("All peers together visit a bounded number of games each second") {
  DigestBudget budget;
  const runtime::TimePoint now{1h};
  CHECK(budget.try_spend(200'000, now));
  CHECK_FALSE(budget.try_spend(1, now));
  CHECK(budget.try_spend(200'000, now + 1s));
}

TEST_CASE("A delta may not make a library larger than the limit") {
  ListedLibrary listed(protocol::kMaxGamesPerPeer);
  protocol::LibraryUpdate delta = listed.empty_delta();
  delta.games = {game_of("one more")};
  CHECK(listed.library.apply(delta, listed.budget, listed.now) == Applied::gap);
  CHECK(listed.library.games.size() == protocol::kMaxGamesPerPeer);
  CHECK(listed.budget.spent() == 0);
  // One that replaces a game is legal.
  delta.removed = {listed.games.back().id};
  listed.games.back() = delta.games[0];
  delta.digest = protocol::library_digest(listed.games);
  CHECK(listed.library.apply(delta, listed.budget, listed.now) == Applied::changed);
}
