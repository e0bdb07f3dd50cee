#include "libpeer/staging/trash.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>

#include "support/store/memory_disk.h"

namespace peer::staging {
namespace {

const runtime::StopFlag kNoStop;

struct Fixture {
  Fixture() {
    disk.write("/r/game/file", "content");
    disk.write("/r/game/deep/er/file", "content");
    disk.write("/r/other/file", "content");
  }
  test::MemoryDisk disk;
};

}  // namespace

TEST_CASE("trash: a game disappears by one rename, and is deleted afterwards") {
  Fixture fixture;
  std::uint64_t removals = 0;
  fixture.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    if (operation.starts_with("remove")) ++removals;
    return 0;
  });
  REQUIRE(staging::discard_game(fixture.disk, "/r", "game"));
  CHECK(removals == 0);
  CHECK_FALSE(fixture.disk.exists("/r/game"));
  CHECK(fixture.disk.exists("/r/.peerd/trash/1/deep/er/file"));
  CHECK(staging::discard_game(fixture.disk, "/r", "game").error().code == ErrorCode::not_found);
  fixture.disk.write("/r/game/again", "content");
  REQUIRE(staging::discard_game(fixture.disk, "/r", "game"));
  CHECK(fixture.disk.exists("/r/.peerd/trash/2/again"));
  REQUIRE(staging::empty_trash(fixture.disk, "/r", kNoStop));
  CHECK(fixture.disk.tree("/r/.peerd/trash").empty());
  CHECK(fixture.disk.exists("/r/other/file"));
  REQUIRE(staging::empty_trash(fixture.disk, "/r", kNoStop));
}

TEST_CASE("trash: a game that cannot be renamed stays unchanged, with its record") {
  const int error = GENERATE(EACCES, EPERM, EROFS, EXDEV, EBUSY, ENOSPC, EIO);
  const char* refused = GENERATE("rename", "make_directory", "may_remove_entries");
  Fixture fixture;
  fixture.disk.write("/r/.peerd/installed/game", "record");
  const auto before = fixture.disk.tree("/r/game");
  fixture.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == refused && !path.starts_with("/r/game/") ? error : 0;
  });
  const Result<void> discarded = staging::discard_game(fixture.disk, "/r", "game");
  REQUIRE_FALSE(discarded);
  CHECK(discarded.error().code == ErrorCode::disk_error);
  CHECK(discarded.error().system == error);
  CHECK(discarded.error().message.contains("nothing of it was changed"));
  CHECK(fixture.disk.tree("/r/game") == before);
  CHECK(fixture.disk.exists("/r/.peerd/installed/game"));
  fixture.disk.on_call({});
  REQUIRE(staging::discard_game(fixture.disk, "/r", "game"));
  CHECK_FALSE(fixture.disk.exists("/r/.peerd/installed/game"));
}

TEST_CASE("trash: a game that could only be deleted in part is not changed") {
  Fixture fixture;
  fixture.disk.write("/r/game/saves/slot", "mine");
  const auto before = fixture.disk.tree("/r/game");
  std::uint64_t changes = 0;
  fixture.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation.starts_with("remove") || operation == "rename") ++changes;
    return operation == "may_remove_entries" && path == "/r/game/deep/er" ? EACCES : 0;
  });
  const Result<void> discarded = staging::discard_game(fixture.disk, "/r", "game");
  REQUIRE_FALSE(discarded);
  CHECK(discarded.error().message.contains("/r/game/deep/er"));
  CHECK(discarded.error().message.contains("rm -r"));
  CHECK(changes == 0);
  CHECK(fixture.disk.tree("/r/game") == before);
}

TEST_CASE("trash: a mounted file system is not deleted, in a game or as the game") {
  Fixture fixture;
  for (const char* mount : {"/r/game", "/r/game/deep/er"}) {
    fixture.disk.set_mount(mount, true);
    const Result<void> discarded = staging::discard_game(fixture.disk, "/r", "game");
    REQUIRE_FALSE(discarded);
    CHECK(discarded.error().system == EBUSY);
    CHECK(discarded.error().message.contains("unmount"));
    CHECK(fixture.disk.exists("/r/game/deep/er/file"));
    fixture.disk.set_mount(mount, false);
  }
  // Something is mounted after the move: it must not be deleted.
  REQUIRE(staging::discard_game(fixture.disk, "/r", "game"));
  fixture.disk.set_mount("/r/.peerd/trash/1/deep", true);
  CHECK(staging::empty_trash(fixture.disk, "/r", kNoStop).error().system == EBUSY);
  CHECK(fixture.disk.exists("/r/.peerd/trash/1/deep/er/file"));
  const auto trash = fixture.disk.open("/r/.peerd", false, false);
  CHECK(store::remove_tree(**trash, "trash").error().system == EBUSY);
  CHECK(fixture.disk.exists("/r/.peerd/trash/1/deep/er/file"));
}

TEST_CASE("trash: on a full disk a game is moved by a rename, and received data is deleted in place") {
  Fixture fixture;
  REQUIRE(staging::empty_trash(fixture.disk, "/r", kNoStop));  // the start creates the trash while there is room
  fixture.disk.write("/r/.peerd/staging/game/tree/file", "content");
  fixture.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    return operation == "make_directory" ? ENOSPC : 0;
  });
  REQUIRE(staging::discard_game(fixture.disk, "/r", "game"));
  CHECK(fixture.disk.exists("/r/other/file"));
  fixture.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    return operation == "rename" ? ENOSPC : 0;
  });
  CHECK(staging::discard_staging(fixture.disk, "/r", "game").value());
  CHECK_FALSE(fixture.disk.exists("/r/.peerd/staging/game"));
}

TEST_CASE("trash: of a game that is a link only the link is removed, and no link is followed") {
  Fixture fixture;
  fixture.disk.write("/elsewhere/file", "content");
  fixture.disk.make_symlink("/r/linked", "/elsewhere");
  fixture.disk.make_symlink("/r/game/out", "/elsewhere");
  REQUIRE(staging::discard_game(fixture.disk, "/r", "linked"));
  REQUIRE(staging::discard_game(fixture.disk, "/r", "game"));
  REQUIRE(staging::empty_trash(fixture.disk, "/r", kNoStop));
  CHECK(fixture.disk.exists("/elsewhere/file"));
  CHECK_FALSE(fixture.disk.exists("/r/linked"));
}

TEST_CASE("trash: illegal game names are refused") {
  Fixture fixture;
  for (const char* name : {"..", ".peerd", "a/b", ""}) {
    CHECK(staging::discard_game(fixture.disk, "/r", name).error().code == ErrorCode::invalid);
  }
  CHECK(fixture.disk.exists("/r/game/file"));
}

TEST_CASE(
    "trash: whichever disk call fails, the game is complete or gone, and the next attempt completes the deletion") {
  for (const int error : {EIO, EROFS, EACCES, ENOSPC}) {
    for (std::uint64_t nth = 0;; ++nth) {
      Fixture fixture;
      std::uint64_t calls = 0;
      bool failed = false;
      fixture.disk.on_call([&](std::string_view, const std::string&, std::uint64_t) {
        failed = failed || calls == nth;
        return calls++ == nth ? error : 0;
      });
      const Result<void> discarded = staging::discard_game(fixture.disk, "/r", "game");
      static_cast<void>(staging::empty_trash(fixture.disk, "/r", kNoStop));
      fixture.disk.on_call({});
      if (!discarded) CHECK(discarded.error().system == error);
      const Result<void> again = staging::discard_game(fixture.disk, "/r", "game");
      CHECK((again || again.error().code == ErrorCode::not_found));
      REQUIRE(staging::empty_trash(fixture.disk, "/r", kNoStop));
      CHECK_FALSE(fixture.disk.exists("/r/game"));
      if (fixture.disk.exists("/r/.peerd/trash")) CHECK(fixture.disk.tree("/r/.peerd/trash").empty());
      if (!failed) break;
    }
  }
}

TEST_CASE("trash: the data of an interrupted download is deleted, if there is any") {
  Fixture fixture;
  CHECK_FALSE(staging::discard_staging(fixture.disk, "/r", "game").value());
  fixture.disk.write("/r/.peerd/staging/game/tree/file", "content");
  CHECK(staging::discard_staging(fixture.disk, "/r", "game").value());
  CHECK_FALSE(fixture.disk.exists("/r/.peerd/staging/game"));
  CHECK(fixture.disk.exists("/r/game/file"));
}

}  // namespace peer::staging
