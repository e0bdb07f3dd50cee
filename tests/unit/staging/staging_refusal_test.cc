// What a download must not replace or write to.
#include <cerrno>

#include "staging_fixture.h"

namespace peer::staging {

TEST_CASE("staging: links that another program puts into the staging are not followed", "[staging]") {
  MemoryDisk disk;
  disk.make_directories(kRoot);
  disk.write("/outside/victim", "untouched");
  const SampleGame game = new_game();
  {
    REQUIRE(open(disk, game).has_value());
  }
  const std::string tree = "/lib/.peerd/staging/game/tree";
  SECTION("instead of a directory") {
    disk.make_symlink(tree + "/data", "/outside");
    const Opened staging = open(disk, game);
    if (staging) CHECK_FALSE(write(**staging, game, 1, 3).has_value());
  }
  SECTION("instead of a file, before the staging is opened") {
    disk.make_symlink(tree + "/readme", "/outside/victim");
    REQUIRE(complete(disk, game).has_value());
    CHECK(game.is_at(disk, "/lib/game"));
  }
  SECTION("instead of a file, while the staging is open") {
    const Opened staging = open(disk, game);
    disk.make_symlink(tree + "/readme", "/outside/victim");
    disk.make_symlink(tree + "/data", "/outside");
    for (std::size_t i = 0; i < game.manifest().chunks.size(); ++i) static_cast<void>(write(**staging, game, i, 1));
    static_cast<void>((*staging)->checkpoint());
  }
  SECTION("instead of .peerd") {
    disk.remove("/lib/.peerd");
    disk.make_symlink("/lib/.peerd", "/outside");
    CHECK_FALSE(open(disk, game).has_value());
  }
  CHECK(disk.tree("/outside") == std::vector<std::string>{"victim"});
  CHECK(disk.read("/outside/victim") == "untouched");
}

TEST_CASE("staging: a game that is a symlink or not a directory is not replaced", "[staging]") {
  MemoryDisk disk;
  disk.make_directories("/elsewhere/game");
  disk.make_directories(kRoot);
  disk.make_symlink("/lib/game", "/elsewhere/game");
  const Opened linked = open(disk, new_game());
  REQUIRE_FALSE(linked.has_value());
  CHECK(linked.error().code == ErrorCode::invalid);
  CHECK(linked.error().message.contains("/lib/game is a symlink"));
  disk.remove("/lib/game");
  disk.write("/lib/game", "a file");
  CHECK_FALSE(open(disk, new_game()).has_value());
  CHECK_FALSE(
      Staging::open(disk, kRoot, "../x", new_game().version, new_game().document, runtime::StopFlag()).has_value());
}

TEST_CASE("staging: a game that is a mount point, or that this user may not change, is not replaced", "[staging]") {
  MemoryDisk disk;
  put_old_game(disk);
  const auto before = disk.tree("/lib/game");
  disk.set_mount("/lib/game", true);
  const Opened mounted = open(disk, new_game());
  REQUIRE_FALSE(mounted.has_value());
  CHECK(mounted.error().code == ErrorCode::invalid);
  CHECK(mounted.error().message.contains("mount point"));
  disk.set_mount("/lib/game", false);
  disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "may_remove_entries" && path == "/lib/game" ? EACCES : 0;
  });
  const Opened foreign = open(disk, new_game());
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().code == ErrorCode::invalid);
  CHECK(foreign.error().message.contains("/lib/game"));
  CHECK(disk.tree("/lib/game") == before);
}

TEST_CASE("staging: an own game is kept if requested, and the stage stays", "[staging]") {
  for (const bool exchange : {true, false}) {
    MemoryDisk disk;
    disk.set_exchange_supported(exchange);
    disk.make_directories(kRoot);
    const SampleGame game = new_game();
    {
      const Opened staging = open(disk, game);
      REQUIRE(staging.has_value());
      REQUIRE(write(**staging, game, 0, game.manifest().chunks.size()).has_value());
      put_old_game(disk);  // it appears during the download
      const auto published = (*staging)->publish(nullptr, true);
      REQUIRE_FALSE(published.has_value());
      CHECK(published.error().code == ErrorCode::refused);
      CHECK(published.error().message.contains("peerctl download game"));
      CHECK((*staging)->close_cleanly().has_value());
    }
    CHECK(old_game().is_at(disk, "/lib/game"));
    // A manual download replaces it without fetching anything, and keeps it in .peerd/replaced. An installed game is
    // replaced even with keep_own.
    const Opened again = open(disk, game);
    REQUIRE(again.has_value());
    CHECK(check_have(**again, disk, game) == game.manifest().chunks.size());
    REQUIRE((*again)->publish(nullptr).has_value());
    CHECK(disk.exists("/lib/.peerd/replaced/game/1/gone"));
    const SampleGame update = old_game();
    const Opened next = open(disk, update);
    REQUIRE(write(**next, update, 0, update.manifest().chunks.size()).has_value());
    REQUIRE((*next)->publish(nullptr, true).has_value());
    CHECK(update.is_at(disk, "/lib/game"));
  }
}

}  // namespace peer::staging
