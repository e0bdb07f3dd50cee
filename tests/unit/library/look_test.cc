// Which looks at a game happen, and that one which was overtaken shows nothing.
#include <cerrno>

#include "fixture.h"
#include "support/library/fake_watcher.h"

namespace peer::library {
namespace {

/// Counts the looks at /games/g.
void count_looks(Machine& machine, int& looks) {
  machine.disk.on_call([&looks](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "list" && path == "/games/g") ++looks;
    return 0;
  });
}

Digest version_of(const std::string& text) {
  Machine machine;
  machine.disk.write("/games/g/f", text);
  Life life(machine);
  life.start_and_run(1s);
  return life.version("g");
}

void record(Machine& machine, const protocol::ManifestDocument& document) {
  const std::vector<std::uint8_t> bytes = protocol::encode(document);
  machine.disk.write("/games/.peerd/installed/g", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<void> publish(Life& life) {
  return test::run_sync(life.machine.executor, life.library->publish("g", life.scope.token()));
}

}  // namespace

TEST_CASE("library: a game withdrawn at any step of a look is not offered as it was before") {
  const Digest good = version_of("good content");
  const Digest evil = version_of("evil content");
  bool more = true;
  std::size_t tried = 0;
  for (std::size_t steps = 0; more; ++steps) {
    INFO("withdrawn after step " << steps);
    Machine machine;
    machine.disk.write("/games/g/f", "good content");
    machine.disk.write("/games/h/f", "h");
    Life life(machine);
    life.start();
    for (std::size_t i = 0; i < steps && more; ++i) {
      if (!machine.executor.step())
        more = machine.executor.now() < runtime::TimePoint(1s) && machine.executor.advance_to_next_timer();
    }
    machine.disk.corrupt("/games/g/f", 0, "evil");
    life.library->withdraw("g");
    ++tried;
    const runtime::TimePoint end = machine.executor.now() + 2s;
    for (int i = 0; machine.executor.now() < end; ++i) {
      if (i < 60) life.library->withdraw("h");  // makes the library tell at once what it knows
      const auto game = life.game("g");
      if (game && game->offered) REQUIRE(game->offered->version != good);
      if (!machine.executor.step() && !machine.executor.advance_to_next_timer()) break;
    }
    REQUIRE(life.version("g") == evil);
  }
  CHECK(tried > 30);
}

TEST_CASE("library: a rescan that finds a game at rest takes the place of the look that was due") {
  Machine machine;
  machine.live();
  machine.disk.write("/games/g/f", "young");
  Life life(machine);
  life.start_and_run(500ms);
  REQUIRE(life.state("g") == GameState::hashing);
  machine.file_time = kToday - 1000 * kSecond;
  machine.disk.set_mtime("/games/g/f", *machine.file_time);
  machine.disk.set_mtime("/games/g", *machine.file_time);
  REQUIRE(life.rescan("g"));
  REQUIRE(life.state("g") == GameState::ready);
  int looks = 0;
  count_looks(machine, looks);
  machine.executor.advance(1min);
  CHECK(looks == 0);
}

TEST_CASE("library: a change that is due when a listing ends is looked at once") {
  Machine machine;
  test::FakeWatcher watcher;
  machine.watcher = &watcher;
  machine.disk.write("/games/g/f", "g");
  Life life(machine);
  life.start_and_run(10s);
  watcher.tell("/games", "g");
  watcher.tell("/games", "");
  int looks = 0;
  int listings = 0;
  machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "list" && path == "/games/g") ++looks;
    // More changes while the root is listed: what is due is gone through again at once.
    if (operation == "list" && path == "/games" && ++listings == 1) watcher.tell("/games", "");
    return 0;
  });
  machine.executor.advance(350ms);
  CHECK(listings == 1);
  CHECK(looks == 1);
}

TEST_CASE("library: a game that was changed in place and is published is a version of its own") {
  Machine machine;
  const std::string before = std::string(protocol::kChunkSize, 'a') + std::string(protocol::kChunkSize, 'b');
  machine.disk.write("/games/g/f", before);
  Life life(machine);
  life.start_and_run(1s);
  const Digest installed = life.version("g");
  record(machine, *life.game("g")->offered->document);
  machine.file_time = kToday - 500 * kSecond;
  machine.disk.write("/games/g/f", std::string(2 * protocol::kChunkSize, 'a'));
  REQUIRE(life.rescan("g"));
  REQUIRE(life.state("g") == GameState::modified);
  REQUIRE(life.version("g") == installed);
  REQUIRE(publish(life));
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.version("g") != installed);
  CHECK(life.game("g")->offered->intact.empty());
}

TEST_CASE("library: a game is the version that a new record names, although nothing of it has changed") {
  Machine machine;
  const std::string text = std::string(protocol::kChunkSize, 'a') + std::string(protocol::kChunkSize, 'b');
  machine.disk.write("/games/g/f", text);
  machine.disk.write("/games/other/f", text);
  machine.disk.write("/games/other/more", "more");
  Life life(machine);
  life.start_and_run(1s);
  record(machine, *life.game("other")->offered->document);
  REQUIRE(life.rescan("g"));
  CHECK(life.version("g") == life.version("other"));
  CHECK(life.state("g") == GameState::modified);
}

TEST_CASE("library: an adoption says why a file cannot be looked at") {
  Machine machine;
  machine.disk.write("/games/donor/d/f", "content");
  Life life(machine);
  life.start_and_run(1s);
  const protocol::ManifestDocument document = *life.game("donor")->offered->document;
  machine.disk.write("/games/h/d/other", "content");
  const auto adopt = [&] {
    return test::run_sync(machine.executor, life.library->adopt("h", document, life.scope.token()));
  };
  const auto missing = adopt();
  REQUIRE_FALSE(missing);
  CHECK(missing.error().system == ENOENT);
  machine.disk.write("/games/h/d/f", "content");
  machine.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "info" && path == "/games/h/d/f" ? EIO : 0;
  });
  const auto failed = adopt();
  machine.disk.on_call({});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().system == EIO);
  CHECK(failed.error().message.find("/games/h/d/f") != std::string::npos);
}

}  // namespace peer::library
