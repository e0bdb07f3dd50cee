// Downloads that a power cut or a disk error interrupts at every single call.
#include <cerrno>

#include "libpeer/staging/recovery.h"
#include "staging_fixture.h"

namespace peer::staging {

TEST_CASE("staging: after a power cut no wrong chunk counts, nothing is lost, and the download can be completed",
          "[staging]") {
  const SampleGame game = new_game();
  for (const bool update : {false, true}) {
    for (const bool exchange : {true, false}) {
      if (!update && !exchange) continue;
      for (std::uint64_t cut = 0;; ++cut) {
        INFO("update " << update << ", exchange " << exchange << ", power cut at call " << cut);
        MemoryDisk disk;
        disk.set_exchange_supported(exchange);
        disk.make_directories(kRoot);
        if (update) put_old_game(disk);
        bool happened = false;
        const std::uint64_t begin = disk.calls();
        disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
          if (happened || call != begin + cut) return 0;
          happened = true;
          disk.power_cut(cut * 31 + 7);
          return EIO;
        });
        const Result<void> first = complete(disk, game);
        if (!happened) {
          REQUIRE(first.has_value());
          break;
        }
        disk.on_call({});
        REQUIRE(recover(disk, kRoot).has_value());
        if (update) {
          const bool swapped = game.is_at(disk, "/lib/game");
          REQUIRE((swapped || old_game().is_at(disk, "/lib/game")));
          if (swapped) REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
        } else {
          REQUIRE((!disk.exists("/lib/game") || game.is_at(disk, "/lib/game")));
        }
        if (!game.is_at(disk, "/lib/game")) {
          {
            const Opened staging = open(disk, game);
            REQUIRE(staging.has_value());
            check_have(**staging, disk, game);
          }
          REQUIRE(complete(disk, game).has_value());
          if (update) REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
        }
        disk.power_cut(cut);
        REQUIRE(game.is_at(disk, "/lib/game"));
        REQUIRE(disk.tree("/lib/.peerd/staging").empty());
      }
    }
  }
}

TEST_CASE(
    "staging: whichever disk call fails, the next attempt completes, and no failed sync is retried on the same file",
    "[staging]") {
  const SampleGame game = new_game();
  for (const int error : {EIO, ENOSPC}) {
    for (std::uint64_t fault = 0;; ++fault) {
      INFO("call " << fault << " fails with " << error);
      MemoryDisk disk;
      put_old_game(disk);
      bool happened = false;
      std::string distrusted;
      const std::uint64_t begin = disk.calls();
      disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t call) {
        if (!distrusted.empty() && path == distrusted) {
          CHECK(operation != "file_sync");
          if (operation == "remove_file") distrusted.clear();
        }
        if (happened || call != begin + fault) return 0;
        happened = true;
        if (operation == "file_sync" && path.contains("/tree/")) distrusted = path;
        return error;
      });
      Result<void> done = complete(disk, game);
      if (!happened) break;
      if (!done) {
        REQUIRE(recover(disk, kRoot).has_value());
        done = game.is_at(disk, "/lib/game") ? Result<void>() : complete(disk, game);
      }
      REQUIRE(done.has_value());
      disk.on_call({});
      disk.power_cut(fault);
      REQUIRE(game.is_at(disk, "/lib/game"));
      REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
    }
  }
}

TEST_CASE("staging: with a damaged journal the whole stage is kept", "[staging]") {
  MemoryDisk disk;
  put_old_game(disk);
  disk.write("/lib/.peerd/staging/game/journal", "exchange one 2\n");
  disk.write("/lib/.peerd/staging/game/tree/save", "precious");
  REQUIRE(recover(disk, kRoot).has_value());
  CHECK(disk.read("/lib/.peerd/replaced/game/1/tree/save") == "precious");
  CHECK(disk.tree("/lib/.peerd/staging").empty());
}

}  // namespace peer::staging
