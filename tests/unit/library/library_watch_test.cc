// How the library reacts to a watcher's reports, under virtual time.
#include <cerrno>

#include "fixture.h"
#include "libpeer/library/scan_schedule.h"
#include "support/library/fake_watcher.h"

namespace peer::library {
namespace {

using Names = std::set<std::string>;

struct Watched : Machine {
  Watched() {
    watcher = &fake;
    disk.write("/games/g/d/f", "one");
    disk.write("/games/g/top", "top");
  }
  test::FakeWatcher fake;
};

}  // namespace

TEST_CASE("library watch: every directory is watched before it is listed") {
  Watched machine;
  machine.disk.write("/games/g/.peerdignore", "/cache/\n");
  machine.disk.write("/games/g/cache/x", "x");
  machine.disk.write("/games/h/f", "h");
  machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "list" && path == "/games") CHECK(machine.fake.watched[{"/games", ""}] == Names{"/games"});
    if (operation == "list" && path == "/games/g/d") CHECK(machine.fake.watched[{"/games", "g"}].contains(path));
    return 0;
  });
  {
    Life life(machine);
    life.start_and_run(1s);
    CHECK(machine.fake.running());
    CHECK(life.state("g") == GameState::ready);
    CHECK(machine.fake.watched[{"/games", "g"}] == Names{"/games/g", "/games/g/d"});
    CHECK(machine.fake.watched[{"/games", "h"}] == Names{"/games/h"});
    machine.disk.remove("/games/h");
    machine.fake.report("/games", "");
    machine.executor.advance(1s);
    CHECK_FALSE(life.game("h"));
    CHECK_FALSE(machine.fake.watched.contains({"/games", "h"}));
  }
  CHECK_FALSE(machine.fake.running());
}

TEST_CASE("library watch: a change is scanned after a quiet moment, in that game only") {
  Watched machine;
  machine.disk.write("/games/other/f", "other");
  Life life(machine);
  life.start_and_run(1s);
  const Digest first = life.version("g");
  const std::size_t walks = machine.fake.walks;

  SECTION("one change") {
    machine.live();
    machine.disk.write("/games/g/d/f", "two");
    machine.fake.report("/games", "g");
    machine.executor.advance(ChangeDebounce::kQuiet - 10ms);
    CHECK(life.version("g") == first);
    const int offers = life.offers;
    machine.executor.advance(50ms);
    CHECK_FALSE(life.game("g")->offered);  // it is withdrawn at once, and offered again when it is at rest
    CHECK(life.offers == offers + 1);
    machine.executor.advance(4s);
    CHECK(life.state("g") == GameState::hashing);
    machine.executor.advance(2s);
    CHECK(life.state("g") == GameState::ready);
    CHECK(life.version("g") != first);
    CHECK(life.offers == offers + 2);
    CHECK(machine.fake.walks == walks + 3);  // at once, at rest, and after hashing
  }
  SECTION("many changes in a row cause one scan, which is not delayed forever") {
    for (int i = 0; i < 30; ++i) {
      machine.fake.report("/games", "g");
      machine.executor.advance(100ms);
    }
    CHECK(machine.fake.walks == walks + 1);
    machine.executor.advance(1s);
    CHECK(machine.fake.walks == walks + 2);
    CHECK(life.version("g") == first);
  }
  SECTION("a change of an unknown game is ignored") {
    machine.fake.report("/games", "unknown");
    machine.fake.report("/more", "g");
    machine.executor.advance(1min);
    CHECK(machine.fake.walks == walks);
  }
}

TEST_CASE("library watch: a game that is being copied is offered when it is at rest, without scans in between") {
  Watched machine;
  Life life(machine);
  life.start_and_run(1s);
  machine.live();
  machine.disk.write("/games/new/f0", "0");
  machine.fake.report("/games", "");
  machine.executor.advance(300ms);
  CHECK(life.state("new") == GameState::hashing);
  const std::size_t walks = machine.fake.walks;
  for (int i = 1; i < 100; ++i) {
    machine.disk.write("/games/new/f" + std::to_string(i), std::to_string(i));
    machine.fake.report("/games", "new");
    machine.executor.advance(100ms);
    CHECK_FALSE(life.game("new")->offered);
  }
  CHECK(machine.fake.walks <= walks + 3);
  machine.executor.advance(11s);
  CHECK(life.state("new") == GameState::ready);
  CHECK(life.game("new")->files == 100);
}

TEST_CASE("library watch: a change during hashing is scanned afterwards") {
  Watched machine;
  Life life(machine);
  life.start_and_run(1s);
  machine.live();
  machine.disk.write("/games/g/more", std::string(40 << 20, 'x'));
  machine.fake.report("/games", "g");
  bool reported = false;
  machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "read_at" && path == "/games/g/more" && !reported) {
      reported = true;
      machine.fake.report("/games", "g");
    }
    return 0;
  });
  machine.executor.advance(20s);
  CHECK(reported);
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.files("g").size() == 3);
}

TEST_CASE("library watch: a game that cannot be watched is scanned every minute") {
  Watched machine;
  machine.fake.refuse = [](const std::string& path) { return path == "/games/g/d" || path == "/more"; };
  machine.disk.write("/games/h/f", "h");
  machine.disk.make_directories("/more");
  machine.roots = {"/games", "/more"};
  Life life(machine);
  life.start_and_run(1s);
  const Digest g = life.version("g");
  const Digest h = life.version("h");
  machine.file_time = kToday - 500 * kSecond;
  machine.disk.write("/games/g/d/f", "two");
  machine.disk.write("/games/h/f", "two");
  machine.disk.write("/more/new/f", "new");
  machine.executor.advance(50s);
  CHECK(life.version("g") == g);
  machine.executor.advance(15s);
  CHECK(life.version("g") != g);
  CHECK(life.state("new") == GameState::ready);
  CHECK(life.version("h") == h);  // it is watched, and no change was reported
  machine.executor.advance(5min);
  CHECK(life.version("h") != h);
}

TEST_CASE("library watch: a partly watched game is scanned even if nothing else wakes the library") {
  Watched machine;
  machine.fake.refuse = [](const std::string& path) { return path == "/games/g/d"; };
  Life life(machine);
  life.start_and_run(1s);
  machine.live();
  machine.disk.write("/games/g/d/more", "more");
  machine.executor.advance(70s);
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.game("g")->files == 3);
}

TEST_CASE("library watch: an adopted game is watched") {
  Watched machine;
  Life life(machine);
  life.start_and_run(1s);
  const protocol::ManifestDocument document = *life.game("g")->offered->document;
  machine.disk.write("/games/h/d/f", "one");
  machine.disk.write("/games/h/top", "top");
  REQUIRE(test::run_sync(machine.executor, life.library->adopt("h", document, life.scope.token())));
  machine.executor.advance(1s);
  CHECK(machine.fake.watched[{"/games", "h"}] == Names{"/games/h", "/games/h/d"});
  CHECK(life.version("h") == life.version("g"));
  CHECK(life.library->bytes_read() == 6);
}

TEST_CASE("library watch: a change may be reported at every step of a stop") {
  for (int steps = 1; steps < 60; ++steps) {
    Watched machine;
    Life life(machine);
    life.start_and_run(1s);
    machine.disk.write("/games/g/d/f", std::to_string(steps));
    machine.fake.report("/games", "g");
    machine.fake.report("/games", "");
    machine.executor.advance_to_next_timer();
    for (int i = 0; i < steps; ++i) {
      if (!machine.executor.step()) machine.executor.advance_to_next_timer();
    }
    life.stop();
  }
}

}  // namespace peer::library
