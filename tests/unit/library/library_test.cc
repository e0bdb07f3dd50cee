#include "libpeer/library/library.h"

#include <cerrno>

#include "fixture.h"

namespace peer::library {
namespace {

using Names = std::vector<std::string>;

std::string content(std::size_t size, char seed) {
  std::string text(size, seed);
  for (std::size_t i = 0; i < size; i += 251) text[i] = static_cast<char>(i >> 8);
  return text;
}

}  // namespace

TEST_CASE("library: a game at rest is hashed and offered; the next start reads nothing") {
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

TEST_CASE("library: a game that still changes is looked at again when it will have rested") {
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

TEST_CASE("library: changes are found at the next scan and at a rescan") {
  Machine machine;
  machine.disk.write("/games/g/f", "one");
  machine.disk.write("/games/g/kept", "kept");
  Life life(machine);
  life.start_and_run(1s);
  const Digest first = life.version("g");
  const std::uint64_t revision = life.library->snapshot()->revision;

  SECTION("by the interval") {
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
  SECTION("by a rescan, which waits until the game rests") {
    machine.live();
    machine.disk.write("/games/g/f", "two");
    CHECK(life.rescan("g"));
    CHECK(life.state("g") == GameState::ready);
    CHECK(life.version("g") != first);
  }
  SECTION("while a changed game rests, a version that is no longer whole is not offered") {
    machine.live();
    machine.disk.write("/games/g/f", "two");
    machine.executor.advance(5min);
    CHECK(life.state("g") == GameState::ready);
    const Digest second = life.version("g");
    machine.executor.advance(4min + 58s);
    machine.disk.write("/games/g/more", "three");
    machine.executor.advance(1500ms);
    CHECK(life.state("g") == GameState::hashing);
    CHECK(life.version("g") == second);  // nothing of it has changed
    machine.disk.write("/games/g/f", "three");
    machine.executor.advance(4500ms);
    CHECK(life.state("g") == GameState::hashing);
    CHECK_FALSE(life.game("g")->offered);
    machine.executor.advance(6s);
    CHECK(life.state("g") == GameState::ready);
  }
  SECTION("gone") {
    machine.disk.remove("/games/g");
    CHECK(life.rescan(std::nullopt));
    CHECK(life.library->snapshot()->games.empty());
    CHECK(life.rescan("g").error().code == ErrorCode::not_found);
  }
  SECTION("nothing changed") {
    const int offers = life.offers;
    CHECK(life.rescan("g"));
    machine.executor.advance(20min);
    CHECK(life.offers == offers);
    CHECK(life.library->bytes_read() == 7);
    CHECK(life.library->snapshot()->revision == revision);
  }
  SECTION("a game that never rests ends a rescan all the same") {
    machine.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
      if (operation == "info" && path == "/games/g/f") machine.disk.set_mtime(path, machine.wall());
      return 0;
    });
    CHECK(life.rescan("g"));
    CHECK(life.state("g") == GameState::hashing);
    machine.disk.on_call(nullptr);
  }
}

TEST_CASE("library: a file that changes while it is hashed is tried again later") {
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

TEST_CASE("library: what appears beside while hashing is part of the version or of none") {
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

TEST_CASE("library: a file changed just before it was read is not cached") {
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

TEST_CASE("library: times in the future count as rest once two looks agree, and never if all is cached") {
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

TEST_CASE("library: two roots with the same game") {
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

TEST_CASE("library: a root that cannot be read is said once, and its games come back without reading") {
  Machine machine;
  machine.roots = {"/games", "/more"};
  machine.disk.write("/more/g/f", "x");
  Life life(machine);
  life.start_and_run(1s);
  machine.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "open" && path == "/more" ? EIO : 0;
  });
  SECTION("for a moment: nothing changes") {
    const int changes = life.changes;
    machine.executor.advance(5min + 1s);
    CHECK(machine.log.size() == 1);
    machine.disk.on_call(nullptr);
    machine.executor.advance(20s);
    CHECK(life.changes <= changes + 3);  // that the root is missing, and that it is not any more
    CHECK(life.offers == 1);
  }
  SECTION("for long") {
    machine.executor.advance(20min);
    CHECK(life.state("g") == GameState::damaged);
    CHECK_FALSE(life.game("g")->offered);
    machine.disk.on_call(nullptr);
    machine.executor.advance(5min);
  }
  SECTION("because it is gone") {
    machine.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
      return operation == "open" && path == "/more" ? ENOENT : 0;
    });
    machine.executor.advance(6min);
    CHECK(life.library->snapshot()->games.empty());
    CHECK(life.library->snapshot()->missing_roots.size() == 1);
    machine.disk.on_call(nullptr);
    machine.executor.advance(4s);  // nothing but looking for it tells of its return
    CHECK(life.library->snapshot()->missing_roots.empty());
  }
  CHECK(machine.log.size() == 1);
  CHECK(life.state("g") == GameState::ready);
  CHECK(life.library->bytes_read() == 1);
}

TEST_CASE("library: unshareable and damaged games say why") {
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

TEST_CASE("library: progress is shown at most four times a second") {
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

TEST_CASE("library: an adopted download is offered without reading it") {
  Machine machine;
  machine.disk.write("/games/g/f", "from before");
  machine.disk.write("/games/donor/d/f", content(2 << 20, 'd'));
  machine.disk.write("/games/donor/empty", "");
  Life life(machine);
  life.start_and_run(1s);
  const protocol::ManifestDocument document = *life.game("donor")->offered->document;
  const Digest version = life.version("donor");
  const std::uint64_t read = life.library->bytes_read();

  machine.live();
  const auto adopt = [&](std::string id) {
    return test::run_sync(machine.executor, life.library->adopt(std::move(id), document, life.scope.token()));
  };
  SECTION("a new game and an update") {
    for (const std::string& id : {std::string("g"), std::string("h")}) {
      if (machine.disk.exists("/games/" + id)) machine.disk.remove("/games/" + id);
      machine.disk.write("/games/" + id + "/d/f", content(2 << 20, 'd'));
      machine.disk.write("/games/" + id + "/empty", "");
      const int offers = life.offers;
      REQUIRE(adopt(id));
      CHECK(life.state(id) == GameState::ready);
      CHECK(life.version(id) == version);
      CHECK(life.offers == offers + 1);
    }
    CHECK(life.library->bytes_read() == read);
    machine.executor.advance(10min);  // scans in between find nothing new
    CHECK(life.version("h") == version);
    CHECK(life.library->bytes_read() == read);
    life.stop();
    Life next(machine);
    next.start_and_run(1s);
    CHECK(next.version("h") == version);
    CHECK(next.library->bytes_read() == 0);
  }
  SECTION("on a file system without executable bits") {
    machine.disk.set_executable("/games/donor/d/f", true);
    machine.disk.set_executable("/games/donor/empty", true);
    REQUIRE(life.rescan("donor"));
    const protocol::ManifestDocument runnable = *life.game("donor")->offered->document;
    CHECK(life.version("donor") != version);
    machine.disk.write("/games/h/d/f", content(2 << 20, 'd'));
    machine.disk.write("/games/h/empty", "");
    REQUIRE(test::run_sync(machine.executor, life.library->adopt("h", runnable, life.scope.token())));
    machine.executor.advance(10min);
    CHECK(life.version("h") == life.version("donor"));
    life.stop();
    Life next(machine);
    next.start_and_run(1s);
    CHECK(next.version("h") == next.version("donor"));
    next.stop();
    machine.disk.write("/games/h/d/f", content(2 << 20, 'e'));  // what is no longer the installed file is as it looks
    machine.executor.advance(1min);
    Life third(machine);
    third.start_and_run(1s);
    CHECK_FALSE(third.game("h")->offered->document->manifest.files[0].executable);
    CHECK(third.game("h")->offered->document->manifest.files[1].executable);
  }
  SECTION("not what was installed") {
    machine.disk.write("/games/h/d/f", "short");
    machine.disk.write("/games/h/empty", "");
    const auto result = adopt("h");
    REQUIRE_FALSE(result);
    CHECK(result.error().message.find("/games/h/d/f") != std::string::npos);
    machine.executor.advance(10s);
    CHECK(life.state("h") == GameState::ready);  // as what it is
    CHECK(life.version("h") != version);
  }
  SECTION("nothing there, or no legal name") {
    CHECK(adopt("h").error().system == ENOENT);
    CHECK(adopt(".h").error().code == ErrorCode::invalid);
    machine.executor.advance(1s);
    CHECK_FALSE(life.game("h"));
  }
}

TEST_CASE("library: an adoption ends the hashing of what was there before") {
  Machine machine(1, 400ms);
  machine.disk.write("/games/donor/f", "fine");
  {
    Life life(machine);
    life.start_and_run(10s);
    machine.disk.write("/games/g/f", content(200 << 20, 'x'));
    machine.executor.advance(4min + 51s);
    REQUIRE(life.state("g") == GameState::hashing);
    machine.disk.remove("/games/g");
    machine.disk.write("/games/g/f", "fine");
    const protocol::ManifestDocument document = *life.game("donor")->offered->document;
    REQUIRE(test::run_sync(machine.executor, life.library->adopt("g", document, life.scope.token())));
    CHECK(life.version("g") == life.version("donor"));
    machine.executor.advance(10min);
    CHECK(life.version("g") == life.version("donor"));
    CHECK(life.library->bytes_read() < (150 << 20));
  }
}

TEST_CASE("library: a withdrawn game is not offered until it has been read again") {
  Machine machine;
  machine.disk.write("/games/g/f", "good content");
  Life life(machine);
  life.start_and_run(1s);
  const Digest good = life.version("g");
  machine.disk.corrupt("/games/g/f", 0, "evil");
  CHECK(life.rescan("g"));
  CHECK(life.version("g") == good);  // the stamp tells nothing
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

TEST_CASE("library: a thousand games make few snapshots") {
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
