#include "libpeer/sessions/library_log.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"
#include "libpeer/sessions/remote_library.h"

using namespace peer;
using namespace peer::sessions;

namespace {
protocol::GameSummary game(const std::string& id, std::uint8_t version) {
  protocol::GameSummary summary;
  summary.id = id;
  summary.version.bytes[0] = version;
  summary.size = version;
  return summary;
}
using Applied = RemoteLibrary::Applied;
/// With a budget that is never used up.
Applied apply(RemoteLibrary& library, const protocol::LibraryUpdate& update) {
  DigestBudget budget;
  return library.apply(update, budget, {});
}
}  // namespace

TEST_CASE("The revision grows only when the offered games change") {
  sessions::LibraryLog log;
  const std::uint64_t first = log.revision();
  CHECK_FALSE(log.set({}));
  CHECK(log.revision() == first);
  CHECK(log.set({game("a", 1)}));
  CHECK_FALSE(log.set({game("a", 1)}));
  CHECK(log.revision() == first + 1);
}

TEST_CASE("A peer that applies every update has the same library, from whichever revision it starts") {
  sessions::LibraryLog log;
  sessions::RemoteLibrary behind;
  sessions::RemoteLibrary current;
  const auto catch_up = [&](sessions::RemoteLibrary& entry) {
    for (const auto& update : log.updates_since(entry.revision)) {
      CHECK(apply(entry, update) != Applied::gap);
    }
    CHECK(entry.digest == log.digest());
    CHECK(entry.revision == log.revision());
  };
  log.set({game("a", 1), game("b", 1)});
  catch_up(current);
  catch_up(behind);
  log.set({game("a", 2), game("c", 1)});
  catch_up(current);
  log.set({game("a", 2), game("b", 3), game("c", 1)});
  catch_up(current);
  catch_up(behind);
  CHECK(behind.games == current.games);
}

TEST_CASE("An update that is applied twice changes nothing") {
  sessions::LibraryLog log;
  log.set({game("a", 1)});
  sessions::RemoteLibrary entry;
  const auto snapshot = log.updates_since(0);
  CHECK(apply(entry, snapshot[0]) == Applied::changed);
  log.set({game("a", 2)});
  const auto delta = log.updates_since(entry.revision);
  CHECK(apply(entry, delta[0]) == Applied::changed);
  CHECK(apply(entry, delta[0]) == Applied::unchanged);
}

TEST_CASE("A delta from a later revision than the known one is a gap") {
  sessions::LibraryLog log;
  log.set({game("a", 1)});
  const std::uint64_t known = log.revision();
  log.set({game("a", 2)});
  sessions::RemoteLibrary entry;
  CHECK(apply(entry, log.updates_since(known)[0]) == Applied::gap);
}

TEST_CASE("A large library is sent in parts, and none counts before the last one") {
  sessions::LibraryLog log;
  std::vector<protocol::GameSummary> games;
  for (std::size_t i = 0; i < protocol::kMaxGamesPerUpdate * 2 + 5; ++i)
    games.push_back(game("game" + std::to_string(i), 1));
  log.set(games);
  const auto parts = log.updates_since(0);
  REQUIRE(parts.size() == 3);
  CHECK(parts[2].last);
  CHECK_FALSE(parts[1].last);
  sessions::RemoteLibrary entry;
  entry.games["old"] = game("old", 1);
  CHECK(apply(entry, parts[0]) == Applied::unchanged);
  CHECK(apply(entry, parts[1]) == Applied::unchanged);
  CHECK(entry.games.contains("old"));
  CHECK(apply(entry, parts[2]) == Applied::changed);
  CHECK(entry.games.size() == games.size());
  CHECK(entry.digest == log.digest());
}

TEST_CASE("A large delta is sent in parts too, and a missing part is a gap") {
  sessions::LibraryLog log;
  log.set({game("a", 1)});
  sessions::RemoteLibrary entry;
  CHECK(apply(entry, log.updates_since(0)[0]) == Applied::changed);
  const std::uint64_t known = entry.revision;
  std::vector<protocol::GameSummary> games = {game("a", 2)};
  for (std::size_t i = 0; i < protocol::kMaxGamesPerUpdate + 5; ++i) games.push_back(game("b" + std::to_string(i), 1));
  log.set(games);
  const auto parts = log.updates_since(known);
  REQUIRE(parts.size() == 2);
  CHECK(apply(entry, parts[1]) == Applied::gap);
  CHECK(entry.games.size() == 1);
  CHECK(entry.revision == known);
  CHECK(apply(entry, parts[0]) == Applied::unchanged);
  CHECK(apply(entry, parts[1]) == Applied::changed);
  CHECK(entry.digest == log.digest());
}

TEST_CASE("An update with a wrong digest is a gap, and the known library stays") {
  sessions::LibraryLog log;
  log.set({game("a", 1)});
  sessions::RemoteLibrary entry;
  apply(entry, log.updates_since(0)[0]);
  log.set({});
  auto update = log.updates_since(0)[0];
  update.digest.bytes[0] ^= 1;
  CHECK(apply(entry, update) == Applied::gap);
  CHECK(entry.games.size() == 1);
}

TEST_CASE("The revision of the next offer is known before it is set") {
  sessions::LibraryLog log;
  log.set({game("a", 1)});
  for (const auto& games :
       {std::vector{game("a", 1)}, std::vector{game("a", 2)}, std::vector<protocol::GameSummary>{}}) {
    const std::uint64_t expected = log.revision_of(games);
    log.set(games);
    CHECK(log.revision() == expected);
  }
}
