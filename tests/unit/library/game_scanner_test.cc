// When games are scanned, and that a superseded scan shows nothing.
#include <cerrno>

#include "fixture.h"
#include "support/library/fake_watcher.h"

namespace peer::library {
namespace {

/// Counts the scans of /games/g.
void count_scans(Machine& machine, int& scans) {
  machine.disk.on_call([&scans](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "list" && path == "/games/g") ++scans;
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

TEST_CASE("library: a game that is withdrawn at any step of a scan is not offered in its old version") {
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
      if (i < 60) life.library->withdraw("h");  // makes the library publish a snapshot at once
      const auto game = life.game("g");
      if (game && game->offered) REQUIRE(game->offered->version != good);
      if (!machine.executor.step() && !machine.executor.advance_to_next_timer()) break;
    }
    REQUIRE(life.version("g") == evil);
  }
  CHECK(tried > 30);
}

TEST_CASE("library: a rescan that finds a game at rest replaces the scan that was due") {
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
  int scans = 0;
  count_scans(machine, scans);
  machine.executor.advance(1min);
  CHECK(scans == 0);
}

TEST_CASE("library: a change that becomes due during a listing is scanned right after it") {
  Machine machine;
  test::FakeWatcher watcher;
  machine.watcher = &watcher;
  machine.disk.write("/games/g/f", "g");
  Life life(machine);
  life.start_and_run(10s);
  watcher.report("/games", "g");
  watcher.report("/games", "");
  int scans = 0;
  int listings = 0;
  machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "list" && path == "/games/g") ++scans;
    // Report another change during the listing, so that the loop checks again at once.
    if (operation == "list" && path == "/games" && ++listings == 1) watcher.report("/games", "");
    return 0;
  });
  machine.executor.advance(350ms);
  CHECK(listings == 1);
  CHECK(scans == 1);
}

TEST_CASE("library: publishing a game that was changed in place makes a new version") {
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

TEST_CASE("library: a new record determines the version of a game whose files have not changed") {
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

TEST_CASE("library: an adoption reports the error of a file that cannot be checked") {
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
