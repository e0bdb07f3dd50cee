#include "libpeer/library/installed.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "support/store/memory_disk.h"

namespace peer::library {

TEST_CASE("installed record: a forgotten record does not return after a power cut") {
  for (std::uint64_t seed = 0; seed < 32; ++seed) {
    test::MemoryDisk disk;
    disk.write("/games/.peerd/installed/game", "a record");
    disk.write("/games/.peerd/installed/other", "a record");
    const auto root = disk.open("/games", false, false);
    REQUIRE(root.has_value());
    REQUIRE(forget_installed(**root, "game").has_value());
    disk.power_cut(seed);
    CHECK_FALSE(disk.exists("/games/.peerd/installed/game"));
    CHECK(disk.exists("/games/.peerd/installed/other"));
  }
}

TEST_CASE("installed record: forgetting a missing record succeeds, and a disk error is reported") {
  test::MemoryDisk disk;
  disk.make_directories("/games");
  const auto root = disk.open("/games", false, false);
  REQUIRE(root.has_value());
  CHECK(forget_installed(**root, "game").has_value());
  disk.write("/games/.peerd/installed/game", "a record");
  CHECK(forget_installed(**root, "other").has_value());
  for (const std::string refused : {"remove_file", "directory_sync"}) {
    bool asked = false;
    disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
      asked = asked || operation == refused;
      return operation == refused ? EIO : 0;
    });
    INFO(refused);
    CHECK_FALSE(forget_installed(**root, "game").has_value());
    CHECK(asked);
  }
}

}  // namespace peer::library
