#include "libpeer/library/bounds.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/library/scan.h"
#include "support/store/memory_disk.h"

namespace peer::library {
namespace {

struct Fixture {
  Fixture() {
    for (const char* path : {"/r/game/file", "/r/.peerd/installed/x", "/s/theirs/file", "/var/state/identity.pem",
                             "/etc/passwd", "/proc/1/environ", "/run/user/file", "/run/media/disk/game/file",
                             "/home/game/file", "/conf/peerd.toml", "/conf/games/one/file"}) {
      disk.write(path, "content");
    }
  }
  Result<ScannedGame> scan(const std::string& name) {
    const Bounds bounds(disk, {"/r", "/s", "/not/there"}, {"/var/state"}, {"/conf/peerd.toml", "/gone/key"});
    const auto root = disk.open("/r", false, false);
    return scan_game(**root, name, 0, nullptr, &bounds, runtime::StopFlag());
  }
  test::MemoryDisk disk;
};

}  // namespace

TEST_CASE("bounds: a link to secrets, to system directories or to another library is refused with a reason") {
  Fixture place;
  const struct {
    const char* target;
    const char* reason;
  } cases[] = {{"/var/state", "/var/state"},
               {"../var/state", "/var/state"},
               {"/var", "holds /var/state"},
               {"/", "top of the file system"},
               {"/etc", "/etc"},
               {"/proc/1", "/proc"},
               {"/run/user", "/run"},
               {"/run/media", "/run"},
               {"/conf", "holds /conf/peerd.toml"},
               {"/s", "library root /s"},
               {"/s/theirs", "library root /s"},
               {"/r", "library root /r"},
               {".peerd/installed", "/r/.peerd"}};
  int number = 0;
  for (const auto& each : cases) {
    INFO(each.target);
    const std::string name = "link" + std::to_string(++number);
    place.disk.make_symlink("/r/" + name, each.target);
    const auto game = place.scan(name);
    REQUIRE(game.has_value());
    CHECK(game->unshareable);
    CHECK(game->files.empty());
    REQUIRE(game->problems.size() == 1);
    INFO(game->problems[0].reason);
    CHECK(game->problems[0].reason.contains(each.reason));
  }
}

TEST_CASE("bounds: a link to a game elsewhere is followed") {
  Fixture place;
  int number = 0;
  for (const char* target : {"/home/game", "/run/media/disk/game", "/conf/games/one", "game", "/r/game"}) {
    INFO(target);
    const std::string name = "link" + std::to_string(++number);
    place.disk.make_symlink("/r/" + name, target);
    const auto game = place.scan(name);
    REQUIRE(game.has_value());
    CHECK_FALSE(game->unshareable);
    CHECK(game->files.size() == 1);
  }
}

TEST_CASE("bounds: a directory that contains secrets is refused") {
  Fixture place;
  place.disk.write("/r/mine/state/identity.pem", "key");
  const auto root = place.disk.open("/r", false, false);
  for (const char* tree : {"/r/mine", "/r/mine/state"}) {
    const Bounds bounds(place.disk, {"/r"}, {tree}, {});
    const auto game = scan_game(**root, "mine", 0, nullptr, &bounds, runtime::StopFlag());
    REQUIRE(game.has_value());
    CHECK(game->unshareable);
    const auto other = scan_game(**root, "game", 0, nullptr, &bounds, runtime::StopFlag());
    CHECK_FALSE(other->unshareable);
  }
}

TEST_CASE("bounds: a root below a protected directory shares its games") {
  Fixture place;
  place.disk.write("/r/.secret/key", "key");
  const auto root = place.disk.open("/r", false, false);
  for (const char* tree : {"/", "/r"}) {
    INFO(tree);
    const Bounds bounds(place.disk, {"/r"}, {tree}, {});
    const auto game = scan_game(**root, "game", 0, nullptr, &bounds, runtime::StopFlag());
    REQUIRE(game.has_value());
    CHECK_FALSE(game->unshareable);
  }
  // A protected directory in that root is refused.
  place.disk.write("/r/state/identity.pem", "key");
  const Bounds both(place.disk, {"/r"}, {"/", "/r/state"}, {});
  CHECK(scan_game(**root, "state", 0, nullptr, &both, runtime::StopFlag())->unshareable);
}

}  // namespace peer::library
