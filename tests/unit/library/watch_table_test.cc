#include "libpeer/library/watch_table.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <set>

namespace peer::library {

TEST_CASE("watch table: a watch that ends while it is found is added anew, and its number may come again") {
  WatchTable* table = nullptr;
  int tries = 0;
  int end_first = 2;  // so many tries find a watch that ends at once
  WatchTable watches(
      [&](const std::string&) {
        if (++tries <= end_first) table->ended(7);
        return 7;
      },
      [](int) {});
  table = &watches;
  const auto holder = watches.begin({"/games", "a"});
  REQUIRE(watches.enter(*holder, "/games/a") == 0);
  CHECK(tries == 3);
  CHECK(watches.holders_of(7).size() == 1);
  watches.ended(7);
  CHECK(watches.holders_of(7).empty());
  CHECK(watches.enter(*holder, "/games/a") == 0);  // what ended before is of no concern now
  CHECK(tries == 4);
}

TEST_CASE("watch table: what no longer was seen in a walk is let go, what another subject holds stays") {
  std::set<int> kernel;
  WatchTable watches(
      [&](const std::string& path) {
        const int watch = path == "/games/a/d" ? 1 : 2;
        kernel.insert(watch);
        return watch;
      },
      [&](int watch) { kernel.erase(watch); });
  const auto first = watches.begin({"/games", "a"});
  REQUIRE(watches.enter(*first, "/games/a/d") == 0);
  REQUIRE(watches.enter(*first, "/games/a/e") == 0);
  watches.complete(*first);
  CHECK(kernel == std::set<int>{1, 2});
  const auto second = watches.begin({"/games", "b"});
  REQUIRE(watches.enter(*second, "/games/a/e") == 0);
  watches.complete(*second);
  watches.begin({"/games", "a"});
  watches.complete(*first);  // a walk that met nothing
  CHECK(kernel == std::set<int>{2});
  watches.forget({"/games", "b"});
  CHECK(kernel.empty());
  CHECK(watches.size() == 0);
  CHECK(watches.enter(*second, "/games/a/e") == ECANCELED);
}

TEST_CASE("watch table: what the kernel refuses is told") {
  WatchTable watches([](const std::string&) { return -ENOSPC; }, [](int) {});
  const auto holder = watches.begin({"/games", "a"});
  CHECK(watches.enter(*holder, "/games/a") == ENOSPC);
  CHECK(watches.size() == 0);
}

}  // namespace peer::library
