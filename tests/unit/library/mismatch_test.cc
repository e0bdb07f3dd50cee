#include "fixture.h"

namespace peer::library {

TEST_CASE("library: a thousand reports of a mismatch cause few scans") {
  Machine machine;
  machine.disk.write("/games/g/f", "good content");
  Digest version;
  {
    Life first(machine);
    first.start_and_run(1s);
    version = first.version("g");
    const auto document = protocol::encode(*first.game("g")->offered->document);
    machine.disk.write("/games/.peerd/installed/g", {reinterpret_cast<const char*>(document.data()), document.size()});
  }
  Life life(machine);
  life.start_and_run(1s);
  REQUIRE(life.version("g") == version);
  int lists = 0;
  machine.disk.on_call([&lists](std::string_view operation, const std::string&, std::uint64_t) {
    lists += operation == "list" ? 1 : 0;
    return 0;
  });
  SECTION("and the first is scanned at once") {
    life.library->report_mismatch("g");
    machine.executor.advance(100ms);
    CHECK(lists >= 1);
    CHECK(lists <= 3);
  }
  SECTION("within a minute") {
    for (int i = 0; i < 1000; ++i) {
      life.library->report_mismatch("g");
      machine.executor.advance(60ms);
    }
    CHECK(lists >= 6);
    CHECK(lists <= 30);
  }
  SECTION("and one that comes during a scan is not forgotten") {
    life.library->report_mismatch("g");
    machine.executor.advance(2ms);
    machine.disk.corrupt("/games/g/f", 0, "evil");
    life.library->report_mismatch("g");
    machine.executor.advance(30s);
    life.library->report_mismatch("g");
    machine.executor.advance(30s);
    const auto game = life.game("g");
    CHECK((!game->offered || game->offered->version != version || !game->offered->intact.empty()));
  }
}

}  // namespace peer::library
