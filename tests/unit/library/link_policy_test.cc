#include "libpeer/library/link_policy.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdint>

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
    const LinkPolicy bounds(disk, {"/r", "/s", "/not/there"}, {"/var/state"}, {"/conf/peerd.toml", "/gone/key"});
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

namespace {

constexpr std::uint32_t kRoot = 0;
constexpr std::uint32_t kOwn = 1000;  // the user of MemoryDisk
constexpr std::uint32_t kMember = 2000;
constexpr std::uint32_t kVictim = 3000;

/// A link of one user to a directory of another, in a root with the given mode and owner.
struct OwnersCase {
  std::uint32_t link;
  std::uint32_t target;
  std::uint32_t root_mode;
  bool followed;
  const char* reason = "";
};

}  // namespace

TEST_CASE("bounds: a link is followed if it belongs to root or to the owner of the directory that it leads to") {
  const OwnersCase cases[] = {
      {kRoot, kVictim, 0777, true},
      {kMember, kMember, 0777, true},
      {kMember, kVictim, 0755, false, "a link of user 2000 to a directory of user 3000"},
      {kMember, kOwn, 0755, false, "a link of user 2000 to a directory of user 1000"},
      {kMember, kRoot, 0755, false, "a link of user 2000 to a directory of user 0"},
      {kOwn, kVictim, 0755, true},
      {kOwn, kOwn, 0755, true},
      {kOwn, kVictim, 0775, false, "peerd's own user"},
      // A member of the group may have moved a downloaded link into the root.
      {kOwn, kOwn, 0775, false, "peerd's own user"},
      {kOwn, kOwn, 0757, false, "peerd's own user"},
      {kOwn, kOwn, 01777, false, "peerd's own user"},
  };
  for (const OwnersCase& each : cases) {
    INFO(each.link << " to " << each.target << ", mode " << std::oct << each.root_mode);
    Fixture place;
    place.disk.make_symlink("/r/link", "/home/game");
    place.disk.set_owner("/r/link", each.link);
    place.disk.set_owner("/home/game", each.target);
    place.disk.set_mode("/r", each.root_mode);
    const auto game = place.scan("link");
    REQUIRE(game.has_value());
    CHECK(game->unshareable != each.followed);
    if (each.followed) continue;
    REQUIRE(game->problems.size() == 1);
    INFO(game->problems[0].reason);
    CHECK(game->problems[0].reason.contains(each.reason));
  }
}

TEST_CASE("bounds: a link of peerd's user is refused if others may replace a directory above the root") {
  test::MemoryDisk disk;
  disk.write("/home/game/file", "content");
  disk.make_symlink("/a/b/r/link", "/home/game");
  const LinkPolicy bounds(disk, {"/a/b/r"}, {}, {});
  const auto refused = [&] {
    return scan_game(**disk.open("/a/b/r", false, false), "link", 0, nullptr, &bounds, runtime::StopFlag())
        ->unshareable;
  };
  CHECK_FALSE(refused());
  disk.set_mode("/a", 0775);
  CHECK(refused());
  disk.set_mode("/a", 01777);  // as /tmp: only the owner of b may rename it
  CHECK_FALSE(refused());
  disk.set_owner("/a", kMember);
  CHECK(refused());
  disk.set_owner("/a", kRoot);
  CHECK_FALSE(refused());
}

TEST_CASE("bounds: every link on the way obeys the rule") {
  Fixture place;
  place.disk.set_owner("/home/game", kVictim);
  place.disk.make_symlink("/pub/current", "/home/game");
  place.disk.make_symlink("/r/link", "/pub/current");
  place.disk.set_owner("/r/link", kVictim);
  place.disk.set_owner("/pub/current", kMember);
  CHECK(place.scan("link")->unshareable);
  place.disk.set_owner("/pub/current", kVictim);
  CHECK_FALSE(place.scan("link")->unshareable);
}

TEST_CASE("bounds: a check that cannot open a directory refuses the game") {
  Fixture place;
  place.disk.make_symlink("/r/link", "/home/game");
  for (const char* missing : {"/var/state", "/conf", "/s", "/r/.peerd", "/run/media", "/etc"}) {
    INFO(missing);
    place.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
      return operation == "open" && path == missing ? EMFILE : 0;
    });
    CHECK_FALSE(place.scan("link").has_value());
  }
}

TEST_CASE("bounds: a directory that contains secrets is refused") {
  Fixture place;
  place.disk.write("/r/mine/state/identity.pem", "key");
  const auto root = place.disk.open("/r", false, false);
  for (const char* tree : {"/r/mine", "/r/mine/state"}) {
    const LinkPolicy bounds(place.disk, {"/r"}, {tree}, {});
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
    const LinkPolicy bounds(place.disk, {"/r"}, {tree}, {});
    const auto game = scan_game(**root, "game", 0, nullptr, &bounds, runtime::StopFlag());
    REQUIRE(game.has_value());
    CHECK_FALSE(game->unshareable);
  }
  // A protected directory in that root is refused.
  place.disk.write("/r/state/identity.pem", "key");
  const LinkPolicy both(place.disk, {"/r"}, {"/", "/r/state"}, {});
  CHECK(scan_game(**root, "state", 0, nullptr, &both, runtime::StopFlag())->unshareable);
}

}  // namespace peer::library
