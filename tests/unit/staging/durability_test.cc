// Data that is reported as durable survives a power cut, whatever unsynced data the disk loses.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "libpeer/library/installed.h"
#include "libpeer/staging/staging.h"
#include "libpeer/staging/trash.h"
#include "support/library/sample_game.h"

using namespace peer;
using staging::ChunkBatch;
using staging::Staging;
using test::MemoryDisk;
using test::SampleGame;

namespace {

constexpr std::uint64_t kSeeds = 40;  // of power cuts; some of them lose all unsynced data
const std::string kRoot = "/lib";
const std::string kGame = "game";

SampleGame game() {
  return test::make_game({{"bin/run.sh", 700},
                          {"data/big.pak", 2 * protocol::kChunkSize + 5000},
                          {"data/deep/er/a", 9000},
                          {"readme", 10}},
                         1, {"saves/none"}, {{"latest", "data/big.pak"}});
}

std::unique_ptr<Staging> open(MemoryDisk& disk, const SampleGame& game) {
  auto staging = Staging::open(disk, kRoot, kGame, game.version, game.document, runtime::StopFlag());
  REQUIRE(staging.has_value());
  return std::move(*staging);
}

void write(Staging& staging, const SampleGame& game, std::size_t first, std::size_t count) {
  std::uint64_t written = 0;
  REQUIRE(staging.write(ChunkBatch{first, count, game.bytes(first, count)}, written).has_value());
}

std::size_t logged(MemoryDisk& disk, const SampleGame& game) {
  const auto have = Staging::logged_chunks(disk, kRoot, kGame, game.version, game.manifest().chunks.size());
  return static_cast<std::size_t>(std::ranges::count(have, true));
}

}  // namespace

TEST_CASE("durability: chunks that a checkpoint logged are still logged after a power cut", "[staging]") {
  const SampleGame sample = game();
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    INFO("power cut " << seed);
    MemoryDisk disk;
    disk.make_directories(kRoot);
    {
      const auto staging = open(disk, sample);
      write(*staging, sample, 0, 5);
      REQUIRE(staging->checkpoint().has_value());
    }
    disk.power_cut(seed);
    CHECK(logged(disk, sample) == 5);
    const auto again = open(disk, sample);
    CHECK(again->has(0, 5));
    for (std::size_t chunk = 0; chunk < 5; ++chunk) {
      const protocol::ChunkPlace place = sample.manifest().place(chunk);
      const std::string text =
          disk.read(kRoot + "/.peerd/staging/game/tree/" + sample.manifest().files[place.file].path);
      const auto right = sample.chunk(chunk);
      CHECK(std::ranges::equal(std::as_bytes(std::span(text).subspan(place.offset, place.size)), std::as_bytes(right)));
    }
  }
}

TEST_CASE("durability: if the log cannot be synced, this checkpoint and all later ones fail", "[staging]") {
  const SampleGame sample = game();
  MemoryDisk disk;
  disk.make_directories(kRoot);
  const auto staging = open(disk, sample);
  write(*staging, sample, 0, 3);
  disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "file_sync" && path.ends_with("/log") ? EIO : 0;
  });
  CHECK_FALSE(staging->checkpoint().has_value());
  disk.on_call({});
  CHECK_FALSE(staging->checkpoint().has_value());
  CHECK_FALSE(staging->has(0, 3));
}

TEST_CASE("durability: a published game and its record survive a power cut, and its staging stays removed",
          "[staging]") {
  const SampleGame sample = game();
  for (const bool update : {false, true}) {
    for (const bool exchange : {true, false}) {
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        INFO("update " << update << ", exchange " << exchange << ", power cut " << seed);
        MemoryDisk disk;
        disk.set_exchange_supported(exchange);
        disk.make_directories(kRoot);
        if (update) disk.write(kRoot + "/game/save", "of the user");
        {
          const auto staging = open(disk, sample);
          write(*staging, sample, 0, sample.manifest().chunks.size());
          REQUIRE(staging->publish(nullptr).has_value());
        }
        disk.power_cut(seed);
        REQUIRE(sample.is_at(disk, kRoot + "/game"));
        if (update) CHECK(disk.read(kRoot + "/.peerd/replaced/game/1/save") == "of the user");
        CHECK(disk.tree(kRoot + "/.peerd/staging").empty());
        const auto root = disk.open(kRoot, false, false);
        const auto installed = library::read_installed(**root, kGame, nullptr);
        REQUIRE(installed.has_value());
        REQUIRE(*installed != nullptr);
        CHECK((*installed)->version == sample.version);
      }
    }
  }
}

TEST_CASE("durability: a discarded game does not return after a power cut", "[trash]") {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (const bool full : {false, true}) {
      INFO("power cut " << seed << ", full " << full);
      MemoryDisk disk;
      disk.write("/lib/game/file", "content");
      disk.write("/lib/.peerd/installed/game", "a record");
      disk.write("/lib/.peerd/staging/other/tree/file", "content");
      disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
        return full && operation == "rename" ? ENOSPC : 0;
      });
      REQUIRE(staging::discard_staging(disk, kRoot, "other").has_value());
      CHECK(staging::discard_game(disk, kRoot, kGame).has_value() == !full);  // a game is never deleted in place
      disk.on_call({});
      if (full) REQUIRE(staging::discard_game(disk, kRoot, kGame).has_value());
      disk.power_cut(seed);
      CHECK_FALSE(disk.exists("/lib/game"));
      CHECK_FALSE(disk.exists("/lib/.peerd/installed/game"));
      CHECK_FALSE(disk.exists("/lib/.peerd/staging/other"));
    }
  }
}

TEST_CASE("durability: a checkpoint of many small files makes all of them durable", "[staging]") {
  std::map<std::string, std::size_t> sizes;
  for (int i = 0; i < 200; ++i) sizes["d" + std::to_string(i % 30) + "/f" + std::to_string(i)] = 100 + i;
  const SampleGame sample = test::make_game(sizes, 3);
  const std::size_t chunks = sample.manifest().chunks.size();
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    INFO("power cut " << seed);
    MemoryDisk disk;
    disk.make_directories(kRoot);
    {
      const auto staging = open(disk, sample);
      write(*staging, sample, 0, chunks);
      REQUIRE(staging->checkpoint().has_value());
    }
    disk.power_cut(seed);
    CHECK(logged(disk, sample) == chunks);
    const auto again = open(disk, sample);
    const std::vector<bool> have = again->have();
    for (std::size_t i = 0; i < chunks; ++i) {
      REQUIRE(have[i]);
      const std::string& path = sample.manifest().files[sample.manifest().place(i).file].path;
      REQUIRE(disk.read(kRoot + "/.peerd/staging/game/tree/" + path) == sample.content.at(path));
    }
  }
}

TEST_CASE("durability: directories whose first sync failed are synced before a user's game moves into them",
          "[staging]") {
  const SampleGame sample = game();
  for (const std::string unsynced : {"/lib/.peerd", "/lib/.peerd/replaced"}) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      INFO(unsynced << ", power cut " << seed);
      MemoryDisk disk;
      disk.write(kRoot + "/game/save", "of the user");
      {
        const auto staging = open(disk, sample);
        write(*staging, sample, 0, sample.manifest().chunks.size());
        REQUIRE(staging->checkpoint().has_value());
        disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
          return operation == "directory_sync" && path == unsynced ? EIO : 0;
        });
        CHECK_FALSE(staging->publish(nullptr).has_value());
        disk.on_call({});
      }
      REQUIRE(open(disk, sample)->publish(nullptr).has_value());
      disk.power_cut(seed);
      REQUIRE(sample.is_at(disk, kRoot + "/game"));
      REQUIRE(disk.exists(kRoot + "/.peerd/replaced/game/1/save"));
      CHECK(disk.read(kRoot + "/.peerd/replaced/game/1/save") == "of the user");
    }
  }
}
