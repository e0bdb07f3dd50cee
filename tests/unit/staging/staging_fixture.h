// Fixture: games, and the steps of a download into a staging.
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/staging/staging.h"
#include "support/library/sample_game.h"

namespace peer::staging {

using test::MemoryDisk;
using test::SampleGame;

inline const std::string kRoot = "/lib";
inline const std::string kGame = "game";

inline SampleGame new_game() {
  return test::make_game({{"bin/run.sh", 700},
                          {"data/big.pak", 2 * protocol::kChunkSize + 5000},
                          {"data/deep/er/a", 9000},
                          {"empty", 0},
                          {"readme", 10},
                          {"z.sh", 5000}},
                         1, {"saves/none"}, {{"latest", "data/big.pak"}});
}
inline SampleGame old_game() { return test::make_game({{"bin/run.sh", 600}, {"readme", 20}, {"gone", 30}}, 2); }

using Opened = Result<std::unique_ptr<Staging>>;
inline Opened open(store::Disk& disk, const SampleGame& game, const std::string& root = kRoot) {
  return Staging::open(disk, root, kGame, game.version, game.document, runtime::StopFlag());
}

inline Result<void> write(Staging& staging, const SampleGame& game, std::size_t first, std::size_t count) {
  const auto bytes = game.bytes(first, count);
  std::uint64_t written = 0;
  return staging.write(ChunkBatch{first, count, bytes}, written);
}

/// Checks that the chunks in have() are on the disk. Returns their number.
inline std::size_t check_have(Staging& staging, const MemoryDisk& disk, const SampleGame& game) {
  std::size_t count = 0;
  const std::vector<bool> have = staging.have();
  for (std::size_t i = 0; i < have.size(); ++i) {
    if (!have[i]) continue;
    ++count;
    const protocol::ChunkPlace place = game.manifest().place(i);
    const std::string file = disk.read(kRoot + "/.peerd/staging/game/tree/" + game.manifest().files[place.file].path);
    const std::string_view part = std::string_view(file).substr(place.offset, place.size);
    const auto right = game.chunk(i);
    REQUIRE(std::ranges::equal(std::span(reinterpret_cast<const std::uint8_t*>(part.data()), part.size()), right));
  }
  return count;
}

/// Writes the missing chunks in small steps, and publishes.
inline Result<void> complete(store::Disk& disk, const SampleGame& game) {
  auto staging = open(disk, game);
  if (!staging) return std::unexpected(staging.error());
  const std::vector<bool> have = (*staging)->have();
  for (std::size_t i = 0; i < have.size(); ++i) {
    if (have[i]) continue;
    if (Result<void> done = write(**staging, game, i, 1); !done) return done;
    if (i % 2 == 0) {
      if (Result<void> done = (*staging)->checkpoint(); !done) return done;
    }
  }
  const auto published = (*staging)->publish(nullptr);
  if (!published) return std::unexpected(published.error());
  return {};
}

inline void put_old_game(MemoryDisk& disk) {
  const SampleGame old = old_game();
  for (const auto& [path, text] : old.content) disk.write(kRoot + "/game/" + path, text);
}

}  // namespace peer::staging
