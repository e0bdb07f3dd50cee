// A version can be named by a prefix of at least eight digits.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("a download accepts a version of 8 to 64 hex digits, and no other length") {
  SimWorld world(85);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 100'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(sees(world, leech, 1));
  const std::string version = leech.ask(api::ListGames{})->at(0).remote.at(0).version.hex();
  api::StartDownload start = download_of("game");
  for (const std::string& wrong : {version.substr(0, 7), version + "0", std::string()}) {
    start.version = wrong;
    INFO(wrong);
    CHECK(leech.ask(start).error().code == ErrorCode::invalid);
  }
  start.version = version.substr(0, 8);
  REQUIRE(leech.ask(start).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
  start.version = version;
  CHECK(leech.ask(start).has_value());
}
