#include "libpeer/library/watch_table.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <set>

namespace peer::library {

TEST_CASE("watch table: a watch that is removed while it is added is added again, and its number may be reused") {
  WatchTable* table = nullptr;
  int tries = 0;
  int end_first = 2;  // that many tries find a watch that is removed at once
  WatchTable watches(
      [&](const std::string&) {
        if (++tries <= end_first) table->on_watch_removed(7);
        return 7;
      },
      [](int) {});
  table = &watches;
  const auto holder = watches.begin_walk({"/games", "a"});
  REQUIRE(watches.enter(*holder, "/games/a") == 0);
  CHECK(tries == 3);
  CHECK(watches.subjects_of(7).size() == 1);
  watches.on_watch_removed(7);
  CHECK(watches.subjects_of(7).empty());
  CHECK(watches.enter(*holder, "/games/a") == 0);  // the earlier removal has no effect now
  CHECK(tries == 4);
}

TEST_CASE("watch table: a directory that a walk does not enter is released, unless another subject uses it") {
  std::set<int> kernel;
  WatchTable watches(
      [&](const std::string& path) {
        const int watch = path == "/games/a/d" ? 1 : 2;
        kernel.insert(watch);
        return watch;
      },
      [&](int watch) { kernel.erase(watch); });
  const auto first = watches.begin_walk({"/games", "a"});
  REQUIRE(watches.enter(*first, "/games/a/d") == 0);
  REQUIRE(watches.enter(*first, "/games/a/e") == 0);
  watches.complete(*first);
  CHECK(kernel == std::set<int>{1, 2});
  const auto second = watches.begin_walk({"/games", "b"});
  REQUIRE(watches.enter(*second, "/games/a/e") == 0);
  watches.complete(*second);
  watches.begin_walk({"/games", "a"});
  watches.complete(*first);  // a walk that entered nothing
  CHECK(kernel == std::set<int>{2});
  watches.forget({"/games", "b"});
  CHECK(kernel.empty());
  CHECK(watches.size() == 0);
  CHECK(watches.enter(*second, "/games/a/e") == ECANCELED);
}

TEST_CASE("watch table: an error of the kernel is returned") {
  WatchTable watches([](const std::string&) { return -ENOSPC; }, [](int) {});
  const auto holder = watches.begin_walk({"/games", "a"});
  CHECK(watches.enter(*holder, "/games/a") == ENOSPC);
  CHECK(watches.size() == 0);
}

TEST_CASE("watch table: a watch that is removed while it is entered is added again") {
  int next = 1;
  std::set<int> removed;
  WatchTable* self = nullptr;
  WatchTable table(
      [&](const std::string& path) {
        if (path == "/gone") return -ENOENT;
        if (next == 1) self->on_watch_removed(1);  // the event arrives before add returns
        return next++;
      },
      [&](int watch) { removed.insert(watch); });
  self = &table;
  const auto holder = table.begin_walk({"/r", "g"});
  CHECK(table.enter(*holder, "/r/g") == 0);
  CHECK(table.subjects_of(1).empty());
  CHECK(table.subjects_of(2) == std::vector<WatchSubject>{{"/r", "g"}});
  CHECK(table.enter(*holder, "/gone") == ENOENT);
  CHECK(table.enter(*holder, "/r/g/d") == 0);
  CHECK(table.size() == 2);
  CHECK(table.all_subjects() == std::vector<WatchSubject>{{"/r", "g"}});
  const auto again = table.begin_walk({"/r", "g"});
  table.complete(*again);
  CHECK(removed == std::set<int>{2, 3});
  CHECK(table.size() == 0);
}

}  // namespace peer::library
