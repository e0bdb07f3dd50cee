#include "transfer/trash.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>

#include "support/store/memory_disk.h"

namespace peer::transfer {
namespace {

const rt::StopFlag kGoOn;

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
  REQUIRE(discard_game(place.disk, "/r", "game"));
  CHECK(removals == 0);
  CHECK_FALSE(place.disk.exists("/r/game"));
  CHECK(place.disk.exists("/r/.peerd/trash/1/deep/er/file"));
  CHECK(discard_game(place.disk, "/r", "game").error().code == ErrorCode::no_such_game);
  place.disk.write("/r/game/again", "content");
  REQUIRE(discard_game(place.disk, "/r", "game"));
  CHECK(place.disk.exists("/r/.peerd/trash/2/again"));
  REQUIRE(empty_trash(place.disk, "/r", kGoOn));
  CHECK(place.disk.tree("/r/.peerd/trash").empty());
  CHECK(place.disk.exists("/r/other/file"));
  REQUIRE(empty_trash(place.disk, "/r", kGoOn));
}

TEST_CASE("trash: where a rename is not possible, the game is deleted in its place") {
  Place place;
  const char* refused = GENERATE("rename", "make_directory");
  place.disk.on_call(
      [&](std::string_view operation, const std::string&, std::uint64_t) { return operation == refused ? ENOSPC : 0; });
  REQUIRE(discard_game(place.disk, "/r", "game"));
  CHECK_FALSE(place.disk.exists("/r/game"));
  CHECK(place.disk.exists("/r/other/file"));
}

TEST_CASE("trash: a game that is a link loses the link, and nothing is followed") {
  Place place;
  place.disk.write("/elsewhere/file", "content");
  place.disk.make_symlink("/r/linked", "/elsewhere");
  place.disk.make_symlink("/r/game/out", "/elsewhere");
  REQUIRE(discard_game(place.disk, "/r", "linked"));
  REQUIRE(discard_game(place.disk, "/r", "game"));
  REQUIRE(empty_trash(place.disk, "/r", kGoOn));
  CHECK(place.disk.exists("/elsewhere/file"));
  CHECK_FALSE(place.disk.exists("/r/linked"));
}

TEST_CASE("trash: names that are no games are refused") {
  Place place;
  for (const char* name : {"..", ".peerd", "a/b", ""}) {
    CHECK(discard_game(place.disk, "/r", name).error().code == ErrorCode::invalid);
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
      const Result<void> discarded = discard_game(place.disk, "/r", "game");
      static_cast<void>(empty_trash(place.disk, "/r", kGoOn));
      place.disk.on_call({});
      if (!discarded) CHECK(discarded.error().system == error);
      const Result<void> again = discard_game(place.disk, "/r", "game");
      CHECK((again || again.error().code == ErrorCode::no_such_game));
      REQUIRE(empty_trash(place.disk, "/r", kGoOn));
      CHECK_FALSE(place.disk.exists("/r/game"));
      if (place.disk.exists("/r/.peerd/trash")) CHECK(place.disk.tree("/r/.peerd/trash").empty());
      if (!failed) break;
    }
  }
}

TEST_CASE("trash: an interrupted download's data goes, and there may be none") {
  Place place;
  CHECK_FALSE(discard_staging(place.disk, "/r", "game").value());
  place.disk.write("/r/.peerd/staging/game/tree/file", "content");
  CHECK(discard_staging(place.disk, "/r", "game").value());
  CHECK_FALSE(place.disk.exists("/r/.peerd/staging/game"));
  CHECK(place.disk.exists("/r/game/file"));
}

}  // namespace peer::transfer
