// Recovery after a crash, on a failing disk: whichever call fails, nothing is lost and the next start completes it.
#include "libpeer/staging/recovery.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "libpeer/staging/staging.h"
#include "support/library/sample_game.h"

using namespace peer;
using staging::Staging;
using test::MemoryDisk;
using test::SampleGame;

namespace {

const std::string kRoot = "/lib";
const std::string kGame = "game";

SampleGame new_game() { return test::make_game({{"bin/run.sh", 700}, {"readme", 10}}, 1, {"saves/none"}); }
SampleGame old_game() { return test::make_game({{"bin/run.sh", 600}, {"gone", 30}}, 2); }

/// Makes an update that a power cut interrupts at disk call number `cut`. Returns false if the update ended before.
bool interrupted(MemoryDisk& disk, std::uint64_t cut) {
  const SampleGame game = new_game();
  const SampleGame old = old_game();
  for (const auto& [path, text] : old.content) disk.write(kRoot + "/game/" + path, text);
  auto staging = Staging::open(disk, kRoot, kGame, game.version, game.document, runtime::StopFlag());
  REQUIRE(staging.has_value());
  std::uint64_t written = 0;
  const auto bytes = game.bytes(0, game.manifest().chunks.size());
  REQUIRE((*staging)->write({0, game.manifest().chunks.size(), bytes}, written).has_value());
  REQUIRE((*staging)->checkpoint().has_value());
  const std::uint64_t begin = disk.calls();
  disk.on_call([&disk, begin, cut](std::string_view, const std::string&, std::uint64_t call) {
    if (call == begin + cut) disk.power_cut(cut * 7 + 1);
    return call >= begin + cut ? EIO : 0;
  });
  const bool done = (*staging)->publish(nullptr).has_value();
  disk.on_call({});
  return !done;
}

}  // namespace

TEST_CASE("recovery: whichever disk call fails while an interrupted update is completed, both versions are kept",
          "[staging]") {
  for (const bool exchange : {true, false}) {
    for (std::uint64_t cut = 0;; ++cut) {
      std::uint64_t fault = 0;
      for (bool failing = true; failing; ++fault) {
        INFO("exchange " << exchange << ", power cut at call " << cut << ", then call " << fault << " fails");
        MemoryDisk disk;
        disk.set_exchange_supported(exchange);
        if (!interrupted(disk, cut)) break;
        failing = false;
        const std::uint64_t begin = disk.calls();
        disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
          failing = failing || call == begin + fault;
          return call == begin + fault ? EIO : 0;
        });
        static_cast<void>(staging::recover(disk, kRoot));
        disk.on_call({});
        REQUIRE(staging::recover(disk, kRoot).has_value());
        const bool swapped = new_game().is_at(disk, "/lib/game");
        REQUIRE((swapped || old_game().is_at(disk, "/lib/game")));
        if (swapped) REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
        // Nothing is left to recover.
        const std::string stage = kRoot + "/.peerd/staging/game";
        if (disk.exists(stage)) REQUIRE_FALSE(disk.exists(stage + "/journal"));
        if (disk.exists(stage)) REQUIRE_FALSE(swapped);
        REQUIRE(disk.open_files() == 0);
        REQUIRE(disk.open_directories() == 0);
      }
      if (fault == 0) break;
    }
  }
}
