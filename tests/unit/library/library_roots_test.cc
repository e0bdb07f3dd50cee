#include <cerrno>

#include "fixture.h"

namespace peer::library {

TEST_CASE("library: of two roots with the same game the first takes precedence") {
  Machine machine;
  machine.roots = {"/games", "/more"};
  machine.disk.write("/games/g/f", "first");
  machine.disk.write("/more/g/f", "second");
  machine.disk.write("/more/h/f", "third");
  Life life(machine);
  life.start_and_run(1s);
  CHECK(life.game("g")->root == "/games");
  REQUIRE(life.game("g")->problems.size() == 1);
  CHECK(life.game("g")->problems[0].path == "/more/g");
  CHECK(life.game("h")->root == "/more");
  CHECK(machine.log.size() == 1);
  const Digest first = life.version("g");

  machine.disk.remove("/games/g");
  CHECK(life.rescan(std::nullopt));
  CHECK(life.game("g")->root == "/more");
  CHECK(life.game("g")->problems.empty());
  CHECK(life.version("g") != first);
}

TEST_CASE("library: an unreadable root is logged once, and its games return without being read again") {
  Machine machine;
  machine.roots = {"/games", "/more"};
  machine.disk.write("/more/g/f", "x");
  Life life(machine);
  life.start_and_run(1s);
  machine.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "open" && path == "/more" ? EIO : 0;
  });
  SECTION("a short failure changes nothing") {
    const int changes = life.changes;
    machine.executor.advance(5min + 1s);
    CHECK(machine.log.size() == 1);
    machine.disk.on_call(nullptr);
    machine.executor.advance(20s);
    CHECK(life.changes <= changes + 3);  // the root is missing, then it is not
    CHECK(life.offers == 1);
  }
  SECTION("after a long failure its games are damaged") {
    machine.executor.advance(20min);
    CHECK(life.state("g") == GameState::damaged);
    CHECK_FALSE(life.game("g")->offered);
    machine.disk.on_call(nullptr);
    machine.executor.advance(5min);
  }
  SECTION("the games of a missing root are removed") {
    machine.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
      return operation == "open" && path == "/more" ? ENOENT : 0;
    });
    machine.executor.advance(6min);
    CHECK(life.library->snapshot()->games.empty());
    CHECK(life.library->snapshot()->missing_roots.size() == 1);
    machine.disk.on_call(nullptr);
    machine.executor.advance(4s);  // only the periodic check can notice its return
    CHECK(life.library->snapshot()->missing_roots.empty());
  }
  CHECK(machine.log.size() == 1);
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.library->bytes_read() == 1);
}

}  // namespace peer::library
