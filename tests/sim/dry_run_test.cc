// download --dry-run: an estimate of the download, without starting it.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

Result<api::DownloadInfo> plan(SimPeer& peer, const std::string& game) {
  api::StartDownload command = download_of(game);
  command.dry_run = true;
  return peer.ask(command);
}

}  // namespace

TEST_CASE("dry run: it reports size, reuse, sources, space and time, and changes nothing") {
  SimWorld world(95);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 5'000'000);
  leech.disk.write("/library/mine/copy", content(5'000'000, 5'000'000));
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == 2; }, 10s));
  world.executor.advance(2s);
  const auto before = leech.disk.tree("/library");
  const auto told = plan(leech, "game");
  REQUIRE(told.has_value());
  CHECK(told->bytes_total > 5'000'000);
  CHECK(told->bytes_reused == 5'000'000);
  REQUIRE(told->sources.size() == 1);
  CHECK(told->sources[0].id == seed.id());
  REQUIRE(told->plan.has_value());
  CHECK(told->plan->receive == told->bytes_total - 5'000'000);
  CHECK(told->plan->space_needed == told->bytes_total);
  CHECK(told->eta_s.has_value());
  CHECK_FALSE(told->error.has_value());
  CHECK(leech.disk.tree("/library") == before);
  CHECK(leech.ask(api::ListDownloads{})->empty());
  CHECK(leech.count("DownloadGameFilesBegin") == 0);
  CHECK(plan(leech, "nothing").error().code == ErrorCode::not_found);

  leech.disk.set_capacity(7'000'000);
  const auto full = plan(leech, "game");
  REQUIRE(full.has_value());
  REQUIRE(full->error.has_value());
  CHECK(full->error->code == ErrorCode::no_space);

  leech.disk.set_capacity(1'000'000'000);
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 10s));
  const auto here = plan(leech, "game");
  REQUIRE(here.has_value());
  CHECK(here->state == api::DownloadState::finished);
}
