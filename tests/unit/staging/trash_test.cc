#include "libpeer/staging/trash.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>

#include "support/store/memory_disk.h"

namespace peer::transfer {
namespace {

const runtime::StopFlag kGoOn;

struct Place {
  Place() {
    disk.write("/r/game/file", "content");
    disk.write("/r/game/deep/er/file", "content");
    disk.write("/r/other/file", "content");
  }
  test::MemoryDisk disk;
};

}  // namespace

TEST_CASE("trash: a game disappears by one rename and is deleted then") {
  Place place;
  std::uint64_t removals = 0;
  place.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    if (operation.starts_with("remove")) ++removals;
    return 0;
  });
  REQUIRE(staging::discard_game(place.disk, "/r", "game"));
  CHECK(removals == 0);
  CHECK_FALSE(place.disk.exists("/r/game"));
  CHECK(place.disk.exists("/r/.peerd/trash/1/deep/er/file"));
  CHECK(staging::discard_game(place.disk, "/r", "game").error().code == ErrorCode::not_found);
  place.disk.write("/r/game/again", "content");
  REQUIRE(staging::discard_game(place.disk, "/r", "game"));
  CHECK(place.disk.exists("/r/.peerd/trash/2/again"));
  REQUIRE(staging::empty_trash(place.disk, "/r", kGoOn));
  CHECK(place.disk.tree("/r/.peerd/trash").empty());
  CHECK(place.disk.exists("/r/other/file"));
  REQUIRE(staging::empty_trash(place.disk, "/r", kGoOn));
}

TEST_CASE("trash: a game that cannot be renamed stays whole, with its record") {
  const int error = GENERATE(EACCES, EPERM, EROFS, EXDEV, EBUSY, ENOSPC, EIO);
  const char* refused = GENERATE("rename", "make_directory", "may_remove_entries");
  Place place;
  place.disk.write("/r/.peerd/installed/game", "record");
  const auto before = place.disk.tree("/r/game");
  place.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == refused && !path.starts_with("/r/game/") ? error : 0;
  });
  const Result<void> discarded = staging::discard_game(place.disk, "/r", "game");
  REQUIRE_FALSE(discarded);
  CHECK(discarded.error().code == ErrorCode::disk_error);
  CHECK(discarded.error().system == error);
  CHECK(discarded.error().message.contains("nothing of it was changed"));
  CHECK(place.disk.tree("/r/game") == before);
  CHECK(place.disk.exists("/r/.peerd/installed/game"));
  place.disk.on_call({});
  REQUIRE(staging::discard_game(place.disk, "/r", "game"));
  CHECK_FALSE(place.disk.exists("/r/.peerd/installed/game"));
}

TEST_CASE("trash: a game that could be deleted only in part is not touched") {
  Place place;
  place.disk.write("/r/game/saves/slot", "mine");
  const auto before = place.disk.tree("/r/game");
  std::uint64_t changes = 0;
  place.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (operation.starts_with("remove") || operation == "rename") ++changes;
    return operation == "may_remove_entries" && path == "/r/game/deep/er" ? EACCES : 0;
  });
  const Result<void> discarded = staging::discard_game(place.disk, "/r", "game");
  REQUIRE_FALSE(discarded);
  CHECK(discarded.error().message.contains("/r/game/deep/er"));
  CHECK(discarded.error().message.contains("rm -r"));
  CHECK(changes == 0);
  CHECK(place.disk.tree("/r/game") == before);
}

TEST_CASE("trash: what is mounted in a game, or is the game, is not deleted") {
  Place place;
  for (const char* mount : {"/r/game", "/r/game/deep/er"}) {
    place.disk.set_mount(mount, true);
    const Result<void> discarded = staging::discard_game(place.disk, "/r", "game");
    REQUIRE_FALSE(discarded);
    CHECK(discarded.error().system == EBUSY);
    CHECK(discarded.error().message.contains("unmount"));
    CHECK(place.disk.exists("/r/game/deep/er/file"));
    place.disk.set_mount(mount, false);
  }
  // Mounted after it was moved: what lies outside stays.
  REQUIRE(staging::discard_game(place.disk, "/r", "game"));
  place.disk.set_mount("/r/.peerd/trash/1/deep", true);
  CHECK(staging::empty_trash(place.disk, "/r", kGoOn).error().system == EBUSY);
  CHECK(place.disk.exists("/r/.peerd/trash/1/deep/er/file"));
  const auto trash = place.disk.open("/r/.peerd", false, false);
  CHECK(store::remove_tree(**trash, "trash").error().system == EBUSY);
  CHECK(place.disk.exists("/r/.peerd/trash/1/deep/er/file"));
}

TEST_CASE("trash: on a full disk a game goes by a rename, and what was received is deleted in its place") {
  Place place;
  REQUIRE(staging::empty_trash(place.disk, "/r", kGoOn));  // the start: the trash is made while there is room
  place.disk.write("/r/.peerd/staging/game/tree/file", "content");
  place.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    return operation == "make_directory" ? ENOSPC : 0;
  });
  REQUIRE(staging::discard_game(place.disk, "/r", "game"));
  CHECK(place.disk.exists("/r/other/file"));
  place.disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    return operation == "rename" ? ENOSPC : 0;
  });
  CHECK(staging::discard_staging(place.disk, "/r", "game").value());
  CHECK_FALSE(place.disk.exists("/r/.peerd/staging/game"));
}

TEST_CASE("trash: a game that is a link loses the link, and nothing is followed") {
  Place place;
  place.disk.write("/elsewhere/file", "content");
  place.disk.make_symlink("/r/linked", "/elsewhere");
  place.disk.make_symlink("/r/game/out", "/elsewhere");
  REQUIRE(staging::discard_game(place.disk, "/r", "linked"));
  REQUIRE(staging::discard_game(place.disk, "/r", "game"));
  REQUIRE(staging::empty_trash(place.disk, "/r", kGoOn));
  CHECK(place.disk.exists("/elsewhere/file"));
  CHECK_FALSE(place.disk.exists("/r/linked"));
}

TEST_CASE("trash: names that are no games are refused") {
  Place place;
  for (const char* name : {"..", ".peerd", "a/b", ""}) {
    CHECK(staging::discard_game(place.disk, "/r", name).error().code == ErrorCode::invalid);
  }
  CHECK(place.disk.exists("/r/game/file"));
}

TEST_CASE("trash: whatever fails, the game is whole or gone, and the next try ends it") {
  for (const int error : {EIO, EROFS, EACCES, ENOSPC}) {
    for (std::uint64_t nth = 0;; ++nth) {
      Place place;
      std::uint64_t calls = 0;
      bool failed = false;
      place.disk.on_call([&](std::string_view, const std::string&, std::uint64_t) {
        failed = failed || calls == nth;
        return calls++ == nth ? error : 0;
      });
      const Result<void> discarded = staging::discard_game(place.disk, "/r", "game");
      static_cast<void>(staging::empty_trash(place.disk, "/r", kGoOn));
      place.disk.on_call({});
      if (!discarded) CHECK(discarded.error().system == error);
      const Result<void> again = staging::discard_game(place.disk, "/r", "game");
      CHECK((again || again.error().code == ErrorCode::not_found));
      REQUIRE(staging::empty_trash(place.disk, "/r", kGoOn));
      CHECK_FALSE(place.disk.exists("/r/game"));
      if (place.disk.exists("/r/.peerd/trash")) CHECK(place.disk.tree("/r/.peerd/trash").empty());
      if (!failed) break;
    }
  }
}

TEST_CASE("trash: an interrupted download's data goes, and there may be none") {
  Place place;
  CHECK_FALSE(staging::discard_staging(place.disk, "/r", "game").value());
  place.disk.write("/r/.peerd/staging/game/tree/file", "content");
  CHECK(staging::discard_staging(place.disk, "/r", "game").value());
  CHECK_FALSE(place.disk.exists("/r/.peerd/staging/game"));
  CHECK(place.disk.exists("/r/game/file"));
}

}  // namespace peer::transfer
