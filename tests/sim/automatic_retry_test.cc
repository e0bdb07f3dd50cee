// How often an automatic download that keeps failing is tried again.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("automatic: a download that keeps failing is retried after a minute, then every ten minutes") {
  SimWorld world(84);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 1'500'000);
  seed.start({});
  leech.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "write_at" && path.contains("/staging/game/tree/") ? EFBIG : 0;
  });
  SimPeer::Options options = knowing(seed.address);
  options.automatic = {"game"};
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFailed") == 1; }, 30s));
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFailed") == 2; }, 3min));
  CHECK_FALSE(world.run_until([&] { return leech.count("DownloadGameFilesFailed") == 3; }, 8min));
  CHECK(world.run_until([&] { return leech.count("DownloadGameFilesFailed") == 3; }, 4min));
  leech.disk.on_call({});
}

TEST_CASE("automatic: a newer version that appears after a finished download is fetched at once") {
  SimWorld world(86);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 1'500'000);
  seed.start({});
  SimPeer::Options options = knowing(seed.address);
  options.automatic = {"game"};
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 30s));
  seed.disk.write("/library/game/data/file0", "changed");
  REQUIRE(seed.ask(api::Rescan{}).has_value());
  CHECK(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 2; }, 20s));
}
