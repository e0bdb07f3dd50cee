// On some file systems a rename is durable only after both directories are synced. These tests check that both are
// synced before the next rename.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "libpeer/staging/recovery.h"
#include "libpeer/staging/staging.h"
#include "libpeer/staging/trash.h"
#include "support/library/sample_game.h"

using namespace peer;
using staging::Staging;
using test::MemoryDisk;
using test::SampleGame;

namespace {

const std::string kRoot = "/lib";
const std::string kStage = "/lib/.peerd/staging/game";
const std::string kReplaced = "/lib/.peerd/replaced/game";

/// Records each rename, with the directories that were synced between it and the next one.
struct Renames {
  struct Rename {
    std::string what;
    std::set<std::string> synced;
  };
  std::vector<Rename> all{{"", {}}};

  void record(MemoryDisk& disk) {
    disk.on_call([this](std::string_view operation, const std::string& path, std::uint64_t) {
      if (operation == "rename") all.push_back({path, {}});
      if (operation == "directory_sync") all.back().synced.insert(path);
      return 0;
    });
  }
  /// Checks the directories after rename number `which` (from 1) of the path `what`.
  void check_synced(const std::string& what, std::size_t which, const std::vector<std::string>& directories) const {
    for (const Rename& rename : all) {
      if (rename.what != what || --which > 0) continue;
      for (const std::string& directory : directories) {
        INFO(directory << " after the rename of " << what);
        CHECK(rename.synced.contains(directory));
      }
      return;
    }
    FAIL("no rename of " << what);
  }
  std::set<std::string> synced_before(const std::string& what) const {
    std::set<std::string> synced;
    for (const Rename& rename : all) {
      if (rename.what == what) break;
      synced.insert(rename.synced.begin(), rename.synced.end());
    }
    return synced;
  }
};

SampleGame game() { return test::make_game({{"bin/run.sh", 700}, {"readme", 10}}, 1); }

std::unique_ptr<Staging> staged(MemoryDisk& disk, const SampleGame& game) {
  auto staging = Staging::open(disk, kRoot, "game", game.version, game.document, runtime::StopFlag());
  REQUIRE(staging.has_value());
  const std::size_t chunks = game.manifest().chunks.size();
  std::uint64_t written = 0;
  REQUIRE((*staging)->write({0, chunks, game.bytes(0, chunks)}, written).has_value());
  REQUIRE((*staging)->checkpoint().has_value());
  return std::move(*staging);
}

}  // namespace

TEST_CASE("publication: both directories of each rename are synced before the next one", "[staging]") {
  const SampleGame sample = game();
  MemoryDisk disk;
  disk.make_directories(kRoot);
  Renames renames;
  SECTION("a new game") {
    const auto staging = staged(disk, sample);
    renames.record(disk);
    REQUIRE(staging->publish(nullptr).has_value());
    renames.check_synced(kStage + "/tree", 1, {kRoot, kStage});
  }
  SECTION("an update, by an exchange") {
    disk.write(kRoot + "/game/save", "of the user");
    const auto staging = staged(disk, sample);
    renames.record(disk);
    REQUIRE(staging->publish(nullptr).has_value());
    const auto before = renames.synced_before(kStage + "/tree");
    CHECK(before.contains("/lib/.peerd"));
    CHECK(before.contains("/lib/.peerd/replaced"));
    renames.check_synced(kStage + "/tree", 1, {kRoot, kStage});
    renames.check_synced(kStage + "/tree", 2, {kReplaced, kStage});
  }
  SECTION("an update, by two renames") {
    disk.set_exchange_supported(false);
    disk.write(kRoot + "/game/save", "of the user");
    const auto staging = staged(disk, sample);
    renames.record(disk);
    REQUIRE(staging->publish(nullptr).has_value());
    renames.check_synced(kRoot + "/game", 1, {kReplaced});
    renames.check_synced(kStage + "/tree", 2, {kRoot, kStage});  // the exchange was tried first
  }
  disk.on_call({});
  renames.check_synced(kStage + "/document", 1, {"/lib/.peerd/installed", kStage});
  CHECK(sample.is_at(disk, kRoot + "/game"));
}

TEST_CASE("publication: the directories that receive the user's old game are synced even if they exist already",
          "[staging]") {
  const SampleGame sample = game();
  MemoryDisk disk;
  disk.write(kRoot + "/game/save", "of the user");
  disk.make_directories(kReplaced);
  const auto staging = staged(disk, sample);
  Renames renames;
  renames.record(disk);
  REQUIRE(staging->publish(nullptr).has_value());
  disk.on_call({});
  const auto before = renames.synced_before(kStage + "/tree");
  CHECK(before.contains("/lib/.peerd"));
  CHECK(before.contains("/lib/.peerd/replaced"));
}

TEST_CASE("publication: a stage with a damaged journal is kept, and both directories are synced", "[staging]") {
  MemoryDisk disk;
  disk.write(kStage + "/tree/file", "of somebody");
  disk.write(kStage + "/journal", "damaged");
  Renames renames;
  renames.record(disk);
  REQUIRE(staging::recover(disk, kRoot).has_value());
  disk.on_call({});
  renames.check_synced(kStage, 1, {kReplaced, "/lib/.peerd/staging"});
  CHECK(disk.read(kReplaced + "/1/tree/file") == "of somebody");
}

TEST_CASE("trash: both directories are synced after a game moves to the trash", "[trash]") {
  MemoryDisk disk;
  disk.write("/lib/game/file", "content");
  Renames renames;
  renames.record(disk);
  REQUIRE(staging::discard_game(disk, kRoot, "game").has_value());
  disk.on_call({});
  renames.check_synced("/lib/game", 1, {kRoot, "/lib/.peerd/trash"});
}

TEST_CASE("recovery: a staged tree that cannot be read is an error; it does not count as missing", "[staging]") {
  MemoryDisk disk;
  disk.write(kStage + "/tree/file", "received");
  disk.write(kStage + "/journal", "install 0 0\n");
  int reads = 0;
  disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "info" && path == kStage + "/tree" && ++reads == 2 ? EIO : 0;
  });
  const auto recovered = staging::recover(disk, kRoot);
  disk.on_call({});
  REQUIRE_FALSE(recovered.has_value());
  CHECK(recovered.error().system == EIO);
  CHECK(disk.read(kStage + "/tree/file") == "received");
}

TEST_CASE("durability: unlogged chunks that a start found after a kill survive a power cut", "[staging]") {
  const SampleGame sample = game();
  const std::size_t chunks = sample.manifest().chunks.size();
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    INFO("power cut " << seed);
    MemoryDisk disk;
    disk.make_directories(kRoot);
    for (const bool killed : {true, false}) {
      auto staging = Staging::open(disk, kRoot, "game", sample.version, sample.document, runtime::StopFlag());
      REQUIRE(staging.has_value());
      std::uint64_t written = 0;
      if (killed) REQUIRE((*staging)->write({0, chunks, sample.bytes(0, chunks)}, written).has_value());
      CHECK((*staging)->has(0, chunks));
    }
    disk.power_cut(seed);
    const auto have = Staging::logged_chunks(disk, kRoot, "game", sample.version, chunks);
    REQUIRE(std::ranges::count(have, true) == static_cast<std::ptrdiff_t>(chunks));
    for (const auto& [path, text] : sample.content) {
      REQUIRE(disk.exists(kStage + "/tree/" + path));
      CHECK(disk.read(kStage + "/tree/" + path) == text);
    }
  }
}
