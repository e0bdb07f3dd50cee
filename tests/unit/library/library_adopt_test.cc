#include <cerrno>

#include "fixture.h"

namespace peer::library {

TEST_CASE("library: an adopted download is offered without being read") {
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
  SECTION("a new game, and an update of an existing one") {
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
    machine.executor.advance(10min);  // the scans find nothing new
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
    machine.disk.write("/games/h/d/f", content(2 << 20, 'e'));  // a changed file gets the bit that the disk shows
    machine.executor.advance(1min);
    Life third(machine);
    third.start_and_run(1s);
    CHECK_FALSE(third.game("h")->offered->document->manifest.files[0].executable);
    CHECK(third.game("h")->offered->document->manifest.files[1].executable);
  }
  SECTION("a file that differs from the installed one is an error") {
    machine.disk.write("/games/h/d/f", "short");
    machine.disk.write("/games/h/empty", "");
    const auto result = adopt("h");
    REQUIRE_FALSE(result);
    CHECK(result.error().message.find("/games/h/d/f") != std::string::npos);
    machine.executor.advance(10s);
    CHECK(life.state("h") == GameState::ready);  // as a version of its own
    CHECK(life.version("h") != version);
  }
  SECTION("a missing game or an illegal name is an error") {
    CHECK(adopt("h").error().system == ENOENT);
    CHECK(adopt(".h").error().code == ErrorCode::invalid);
    machine.executor.advance(1s);
    CHECK_FALSE(life.game("h"));
  }
}

TEST_CASE("library: an adoption cancels the hashing of the previous content") {
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

}  // namespace peer::library
