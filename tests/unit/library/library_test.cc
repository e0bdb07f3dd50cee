#include "libpeer/library/library.h"

#include <cerrno>

#include "fixture.h"

namespace peer::library {
namespace {

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("library: a game at rest is hashed and offered, and the next start does not read it") {
  Machine machine;
  machine.disk.write("/games/g/data/big", content(3 << 20 | 17, 'a'));
  machine.disk.write("/games/g/small", "hello");
  machine.disk.write("/games/g/empty", "");
  machine.disk.set_mtime("/games/g/small", kToday - 500 * kSecond);
  machine.disk.make_directories("/games/.peerd/staging");
  Digest version;
  {
    Life life(machine);
    CHECK(life.library->snapshot()->games.empty());
    life.start_and_run(1s);
    CHECK(life.library->snapshot()->games.size() == 1);
    const auto game = life.game("g");
    CHECK(game->state == GameState::ready);
    CHECK(game->size == (3 << 20 | 17) + 5);
    CHECK(game->files == 3);
    CHECK(life.files("g") == Names{"data/big", "empty", "small"});
    const protocol::ManifestDocument& document = *game->offered->document;
    REQUIRE(document.manifest.chunks.size() == 5);
    const std::vector<std::uint8_t> hello = {'h', 'e', 'l', 'l', 'o'};
    CHECK(document.manifest.chunks[4] == protocol::hash(hello));
    CHECK(document.times.modified == kToday - 500 * kSecond);
    CHECK(document.times.file_times.size() == 3);
    CHECK(life.library->bytes_read() == (3 << 20 | 17) + 5);
    const auto snapshot = life.library->snapshot();
    CHECK(snapshot->find("g") == game.get());
    CHECK(snapshot->find("h") == nullptr);
    REQUIRE(snapshot->summaries().size() == 1);
    CHECK(snapshot->summaries()[0].modified == kToday - 500 * kSecond);
    CHECK(snapshot->digest == protocol::library_digest(snapshot->summaries()));
    CHECK(life.offers == 1);
    version = life.version("g");
  }
  const std::uint64_t read = machine.disk.bytes_read();
  Life life(machine);
  life.start_and_run(1s);
  CHECK(life.version("g") == version);
  CHECK(life.library->bytes_read() == 0);
  CHECK(machine.disk.bytes_read() == read);
}

TEST_CASE("library: a game that is changing is scanned again when it may be at rest") {
  Machine machine;
  machine.live();
  machine.disk.write("/games/g/f", "one");
  Life life(machine);
  life.start_and_run(3s);
  CHECK(life.state("g") == GameState::hashing);
  CHECK_FALSE(life.game("g")->offered);
  machine.disk.write("/games/g/f", "two");
  machine.executor.advance(4s);
  CHECK(life.state("g") == GameState::hashing);
  CHECK(life.library->bytes_read() == 0);
  machine.executor.advance(2s);
  CHECK(life.state("g") == GameState::ready);
}

TEST_CASE("library: changes are found by the next scan and by a rescan") {
  Machine machine;
  machine.disk.write("/games/g/f", "one");
  machine.disk.write("/games/g/kept", "kept");
  Life life(machine);
  life.start_and_run(1s);
  const Digest first = life.version("g");
  const std::uint64_t revision = life.library->snapshot()->revision;

  SECTION("after the scan interval") {
    machine.file_time = kToday - 900 * kSecond;
    machine.disk.write("/games/g/f", "two");
    machine.disk.write("/games/new/f", "new");
    machine.executor.advance(4min);
    CHECK(life.version("g") == first);
    machine.executor.advance(2min);
    CHECK(life.version("g") != first);
    CHECK(life.state("new") == GameState::ready);
    CHECK(life.library->snapshot()->revision > revision);
    CHECK(life.library->bytes_read() == 7 + 3 + 3);  // the kept file was not read again
  }
  SECTION("by a rescan, which waits until the game is at rest") {
    machine.live();
    machine.disk.write("/games/g/f", "two");
    CHECK(life.rescan("g"));
    CHECK(life.state("g") == GameState::ready);
    CHECK(life.version("g") != first);
  }
  SECTION("an incomplete version is not offered while the changed game has not come to rest") {
    machine.live();
    machine.disk.write("/games/g/f", "two");
    machine.executor.advance(5min);
    CHECK(life.state("g") == GameState::ready);
    const Digest second = life.version("g");
    machine.executor.advance(4min + 58s);
    machine.disk.write("/games/g/more", "three");
    machine.executor.advance(1500ms);
    CHECK(life.state("g") == GameState::hashing);
    CHECK(life.version("g") == second);  // none of its files has changed
    machine.disk.write("/games/g/f", "three");
    machine.executor.advance(4500ms);
    CHECK(life.state("g") == GameState::hashing);
    CHECK_FALSE(life.game("g")->offered);
    machine.executor.advance(6s);
    CHECK(life.state("g") == GameState::ready);
  }
  SECTION("a deleted game is removed") {
    machine.disk.remove("/games/g");
    CHECK(life.rescan(std::nullopt));
    CHECK(life.library->snapshot()->games.empty());
    CHECK(life.rescan("g").error().code == ErrorCode::not_found);
  }
  SECTION("an unchanged game is offered as before") {
    const int offers = life.offers;
    CHECK(life.rescan("g"));
    machine.executor.advance(20min);
    CHECK(life.offers == offers);
    CHECK(life.library->bytes_read() == 7);
    CHECK(life.library->snapshot()->revision == revision);
  }
  SECTION("a rescan ends even if the game is never at rest") {
    machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
      if (operation == "info" && path == "/games/g/f") machine.disk.set_mtime(path, machine.wall());
      return 0;
    });
    CHECK(life.rescan("g"));
    CHECK(life.state("g") == GameState::hashing);
    machine.disk.on_call(nullptr);
  }
}

TEST_CASE("library: a file that changes while it is hashed is hashed again later") {
  Machine machine;
  machine.disk.write("/games/g/f", content(5 << 20, 'a'));
  machine.disk.write("/games/g/other", "x");
  int reads = 0;
  machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation == "read_at" && path == "/games/g/f" && ++reads == 3) {
      machine.live();
      machine.disk.write(path, content(5 << 20, 'b'));
    }
    return 0;
  });
  Life life(machine);
  life.start_and_run(1s);
  CHECK(life.state("g") == GameState::hashing);
  CHECK_FALSE(life.game("g")->offered);
  machine.executor.advance(10s);
  REQUIRE(life.state("g") == GameState::ready);
  std::vector<std::uint8_t> chunk(1 << 20);
  const std::string now = machine.disk.read("/games/g/f");
  chunk.assign(now.begin(), now.begin() + (1 << 20));
  CHECK(life.game("g")->offered->document->manifest.chunks[0] == protocol::hash(chunk));
}

TEST_CASE("library: a file that appears during hashing is part of the offered version") {
  Machine machine;
  machine.disk.write("/games/g/f", content(5 << 20, 'a'));
  bool done = false;
  machine.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    if (operation == "read_at" && !done) {
      done = true;
      machine.disk.write("/games/g/late", "x");
    }
    return 0;
  });
  Life life(machine);
  life.start_and_run(1s);
  CHECK(life.state("g") == GameState::hashing);
  machine.executor.advance(10s);
  CHECK(life.files("g") == Names{"f", "late"});
}

TEST_CASE("library: the hashes of a file that changed just before it was read are not cached") {
  Machine machine;
  machine.live();
  machine.disk.write("/games/g/young", "one");
  machine.disk.write("/games/g/old", "two");
  machine.file_time = kToday - 1000 * kSecond;
  machine.disk.write("/games/g/old", "two");
  {
    LibraryOptions options;
    options.roots = machine.roots;
    options.settle = 0s;
    options.wall_clock = [&machine] { return machine.wall(); };
    runtime::Scope scope(machine.executor, "test", runtime::CancellationToken());
    Library library(scope, machine.disk, machine.workers, *machine.store, machine.store_thread, options, Log());
    CHECK(test::run_sync(machine.executor, library.rescan("g", scope.token())));
    CHECK(library.snapshot()->find("g")->state == GameState::ready);
    test::run_sync(machine.executor, scope.join());
  }
  const auto rows = *machine.store->load_game("/games", "g");
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].path == "old");
}

TEST_CASE("library: a game with timestamps in the future is at rest when two scans agree, or at once if it is cached") {
  Machine machine;
  machine.disk.write("/games/g/f", "one");
  machine.disk.set_mtime("/games/g/f", kToday + 1'000'000 * kSecond);
  {
    Life life(machine);
    life.start_and_run(4s);
    CHECK(life.state("g") == GameState::hashing);
    machine.executor.advance(2s);
    CHECK(life.state("g") == GameState::ready);
  }
  Life life(machine);
  life.start_and_run(1s);
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.library->bytes_read() == 0);
}

TEST_CASE("library: unshareable and damaged games list their problems") {
  Machine machine;
  machine.disk.write("/games/bad/a\\b", "x");
  machine.disk.write("/games/na\nme/f", "x");
  machine.disk.write("/games/torn/f", "x");
  machine.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "read_at" && path == "/games/torn/f" ? EIO : 0;
  });
  Life life(machine);
  life.start_and_run(1s);
  CHECK(life.state("bad") == GameState::unshareable);
  CHECK(life.game("bad")->problems.at(0).path == "a\\x5cb");
  CHECK(life.state("na\\x0ame") == GameState::unshareable);
  CHECK(life.state("torn") == GameState::damaged);
  CHECK(life.game("torn")->problems.at(0).path == "f");
  machine.disk.on_call(nullptr);
  machine.executor.advance(6min);
  CHECK(life.state("torn") == GameState::ready);
}

TEST_CASE("library: progress is published at most four times a second") {
  Machine machine(1, 400ms);
  for (int i = 0; i < 8; ++i) machine.disk.write("/games/g/f" + std::to_string(i), content(33 << 20, 'a'));
  Life life(machine);
  life.start();
  std::uint64_t last = 0;
  int steps = 0;
  for (int i = 0; i < 400 && (!life.game("g") || life.state("g") != GameState::ready); ++i) {
    machine.executor.advance(10ms);
    const auto game = life.game("g");
    if (!game || game->state != GameState::hashing || game->bytes_hashed == last) continue;
    CHECK(game->bytes_hashed > last);
    last = game->bytes_hashed;
    ++steps;
  }
  CHECK(life.state("g") == GameState::ready);
  CHECK(steps >= 2);
  CHECK(life.changes <= 4 * 4 + 4);
}

TEST_CASE("library: a withdrawn game is not offered until it has been read again") {
  Machine machine;
  machine.disk.write("/games/g/f", "good content");
  Life life(machine);
  life.start_and_run(1s);
  const Digest good = life.version("g");
  machine.disk.corrupt("/games/g/f", 0, "evil");
  CHECK(life.rescan("g"));
  CHECK(life.version("g") == good);  // the stamp is unchanged
  const int offers = life.offers;
  life.library->withdraw("g");
  life.library->withdraw("unknown");
  CHECK_FALSE(life.game("g")->offered);
  CHECK(life.state("g") == GameState::hashing);
  CHECK(life.offers == offers + 1);
  machine.executor.advance(1s);
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.version("g") != good);
  CHECK(life.library->bytes_read() == 24);
}

TEST_CASE("library: a thousand games cause few snapshots") {
  Machine machine;
  for (int i = 0; i < 1000; ++i) machine.disk.write("/games/g" + std::to_string(i) + "/f", std::to_string(i));
  {
    Life life(machine);
    life.start_and_run(60s);
    CHECK(life.library->snapshot()->summaries().size() == 1000);
    CHECK(life.changes < 200);
  }
  Life life(machine);
  life.start_and_run(60s);
  CHECK(life.library->snapshot()->summaries().size() == 1000);
  CHECK(life.library->bytes_read() == 0);
}

}  // namespace peer::library
