// Chunks that this machine already has are not fetched: updates, renamed files, other games.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMiB = 1 << 20;

/// The leech hashes its own game, connects to the seed and sees a version of `game` that it does not have.
bool know_new_version(SimWorld& world, SimPeer& leech, SimPeer& seed) {
  seed.start({});
  leech.start(knowing(seed.address));
  return world.run_until(
      [&] {
        const auto games = leech.ask(api::ListGames{}).value();
        const auto game = std::ranges::find(games, "game", &api::GameInfo::id);
        const auto own = std::ranges::find_if(games, [](const auto& g) { return g.local != nullptr; });
        return game != games.end() && game->remote.size() == 1 && own != games.end() &&
               own->local->state == library::GameState::ready;
      },
      30s);
}

api::DownloadInfo finish_download(SimWorld& world, SimPeer& leech) {
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 5min));
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  return leech.ask(api::ListDownloads{}).value().at(0);
}

}  // namespace

TEST_CASE("an update fetches only the changed chunks, and nothing for renamed or copied files") {
  SimWorld world(61);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  const std::string big = content(1, 20 * kMiB + 77);
  const std::string small = content(2, 5000);
  leech.disk.write("/library/game/big.pak", big);
  leech.disk.write("/library/game/small", small);
  std::string changed = big;
  changed.replace(7 * kMiB + 5, 3, "new");
  seed.disk.write("/library/game/big.pak", changed);
  seed.disk.write("/library/game/moved/small", small);
  seed.disk.write("/library/game/moved/again", small);
  seed.disk.write("/library/game/added", content(3, 1000));
  world.executor.advance(1min);  // so that the seed's version is not older
  seed.disk.set_mtime("/library/game/added", world.wall_clock());
  REQUIRE(know_new_version(world, leech, seed));

  const api::DownloadInfo info = finish_download(world, leech);
  CHECK(info.bytes_received == kMiB + 1000);
  CHECK(info.bytes_reused == 19 * kMiB + 77 + 2 * small.size());
  CHECK(info.bytes_done == info.bytes_total);
  CHECK(leech.disk.tree("/library/game") == seed.disk.tree("/library/game"));
  CHECK(leech.disk.read("/library/game/big.pak") == changed);
  CHECK(leech.disk.read("/library/game/moved/again") == small);
}

TEST_CASE("chunks of another game are reused; a file that has changed since it was hashed does no harm") {
  SimWorld world(62);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  const std::string engine = content(4, 3 * kMiB);
  const std::string sound = content(5, 2 * kMiB);
  leech.disk.write("/library/other/engine", engine);
  leech.disk.write("/library/other/sound", sound);
  seed.disk.write("/library/game/engine", engine);
  seed.disk.write("/library/game/sound", sound);
  REQUIRE(know_new_version(world, leech, seed));
  SECTION("whole") {
    const api::DownloadInfo info = finish_download(world, leech);
    CHECK(info.bytes_received == 0);
    CHECK(info.bytes_reused == 5 * kMiB);
  }
  SECTION("changed without a change of its stamp") {
    leech.disk.corrupt("/library/other/sound", kMiB + 9, "xyz");
    CHECK(finish_download(world, leech).bytes_received == kMiB);
  }
  SECTION("unreadable") {
    leech.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
      return operation == "read_at" && path.ends_with("other/sound") ? EIO : 0;
    });
    CHECK(finish_download(world, leech).bytes_received == 2 * kMiB);
    leech.disk.on_call({});
  }
  CHECK(leech.disk.read("/library/game/engine") == engine);
  CHECK(leech.disk.read("/library/game/sound") == sound);
}
