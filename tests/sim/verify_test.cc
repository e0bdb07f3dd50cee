// Verify and repair of an installed game.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

library::GameState state_of(SimPeer& peer) {
  for (const auto& game : peer.ask(api::ListGames{}).value()) {
    if (game.id == "game" && game.local) return game.local->state;
  }
  FAIL("no game");
  return {};
}

Result<api::Verdict> verify(SimPeer& peer, bool repair = false, std::uint64_t rate = 0) {
  api::VerifyGame command;
  command.game = "game";
  command.repair = repair;
  command.rate = rate;
  return peer.ask(command);
}

struct Scene {
  Scene() {
    make_small_game(seed.disk, "/library/game", 5'000'000);
    seed.start({});
    leech.start(knowing(seed.address));
    REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == 1; }, 10s));
    REQUIRE(leech.ask(download_of("game")).has_value());
    REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 10s));
  }
  SimWorld world{91};
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.3"};
};

}  // namespace

TEST_CASE("verify: an intact game passes, and is read at the requested rate") {
  Scene scene;
  const auto quick = verify(scene.leech);
  REQUIRE(quick.has_value());
  CHECK(quick->damaged.empty());
  CHECK(quick->bytes > 5'000'000);
  CHECK(state_of(scene.leech) == library::GameState::ready);
  const auto before = scene.world.executor.now();
  REQUIRE(verify(scene.leech, false, 1'000'000).has_value());
  const double seconds = std::chrono::duration<double>(scene.world.executor.now() - before).count();
  CHECK(seconds > 4.5);
  CHECK(seconds < 5.8);
  api::VerifyGame nothing;
  nothing.game = "nothing";
  CHECK(scene.leech.ask(nothing).error().code == ErrorCode::not_found);
}

TEST_CASE("verify: silent damage is found and shown, and the repair fetches only the damaged chunks") {
  Scene scene;
  SimPeer& leech = scene.leech;
  leech.disk.corrupt("/library/game/big.pak", 2'500'000, "damage");
  leech.disk.corrupt("/library/game/data/file3", 10, "damage");
  const auto found = verify(leech);
  REQUIRE(found.has_value());
  CHECK(found->damaged == std::vector<std::string>{"big.pak", "data/file3"});
  CHECK_FALSE(found->repaired);
  CHECK(state_of(leech) == library::GameState::damaged);
  scene.world.executor.advance(30s);
  CHECK(state_of(leech) == library::GameState::damaged);
  CHECK(verify(leech)->damaged.size() == 2);

  const auto repaired = verify(leech, true);
  REQUIRE(repaired.has_value());
  CHECK(repaired->damaged.size() == 2);
  CHECK(repaired->repaired);
  CHECK(leech.disk.read("/library/game/big.pak") == scene.seed.disk.read("/library/game/big.pak"));
  CHECK(leech.disk.tree("/library/game") == scene.seed.disk.tree("/library/game"));
  CHECK(state_of(leech) == library::GameState::ready);
  CHECK(verify(leech)->damaged.empty());
  const auto downloads = leech.ask(api::ListDownloads{}).value();
  REQUIRE(downloads.size() == 1);
  CHECK(downloads[0].bytes_received < 1'100'000);
}

TEST_CASE("verify: missing, shortened and longer files are damage; without a peer nothing is repaired or lost") {
  Scene scene;
  SimPeer& leech = scene.leech;
  const auto size = leech.disk.read("/library/game/big.pak").size();
  scene.seed.stop();
  leech.disk.corrupt("/library/game/big.pak", 0, "x");
  const auto repaired = verify(leech, true);
  REQUIRE_FALSE(repaired.has_value());
  CHECK(repaired.error().code == ErrorCode::unavailable);
  CHECK(state_of(leech) == library::GameState::damaged);
  CHECK(leech.disk.read("/library/game/big.pak").size() == size);
  leech.disk.remove("/library/game/data/file1");
  leech.disk.write("/library/game/data/file2", "short");
  const auto found = verify(leech);
  REQUIRE(found.has_value());
  CHECK(found->damaged == std::vector<std::string>{"big.pak", "data/file1", "data/file2"});
}

TEST_CASE("verify: its progress is shown beside the state, and reported at most four times a second") {
  Scene scene;
  SimPeer& leech = scene.leech;
  const auto shown = [&] { return leech.ask(api::ListGames{}).value().at(0).verifying; };
  CHECK_FALSE(shown().has_value());
  api::VerifyGame command;
  command.game = "game";
  command.rate = 500'000;
  std::optional<Result<api::Verdict>> answer;
  leech.handle().sender().send(command, [&](Result<api::Verdict> verdict) { answer = std::move(verdict); });
  leech.disk.corrupt("/library/game/big.pak", 1'500'000, "damage");
  leech.disk.corrupt("/library/game/data/file3", 10, "damage");
  scene.world.executor.advance(1s);
  const auto early = shown();
  REQUIRE(early.has_value());
  CHECK(early->bytes_total > 5'000'000);
  CHECK(early->bytes_done > 0);
  CHECK(early->bytes_done < 2'500'000);
  CHECK_FALSE(early->repairing);
  CHECK(state_of(leech) == library::GameState::ready);
  CHECK(verify(leech).error().code == ErrorCode::busy);
  REQUIRE(scene.world.run_until([&] { return answer.has_value(); }, 30s));
  CHECK((*answer)->damaged.size() == 2);
  CHECK_FALSE(shown().has_value());
  const auto told = leech.count("VerifyProgress");
  CHECK(told >= 4);
  CHECK(told <= 50);
  // Many pieces are read, all within a quarter of a second.
  REQUIRE(verify(leech, false, 50'000'000).has_value());
  CHECK(leech.count("VerifyProgress") - told <= 2);
}

TEST_CASE("verify: it stops without a result when no client waits for it any more") {
  Scene scene;
  SimPeer& leech = scene.leech;
  leech.disk.corrupt("/library/game/data/file3", 10, "damage");
  runtime::CancellationSource asker;
  api::VerifyGame command;
  command.game = "game";
  command.rate = 500'000;
  command.abandoned = asker.token();
  std::optional<Result<api::Verdict>> answer;
  leech.handle().sender().send(command, [&](Result<api::Verdict> verdict) { answer = std::move(verdict); });
  scene.world.executor.advance(2s);
  REQUIRE_FALSE(answer.has_value());
  asker.request();
  REQUIRE(scene.world.run_until([&] { return answer.has_value(); }, 1s));
  CHECK(answer->error().code == ErrorCode::cancelled);
  CHECK(state_of(leech) == library::GameState::ready);
  CHECK_FALSE(leech.ask(api::ListGames{}).value().at(0).verifying.has_value());
  const auto again = verify(leech);
  REQUIRE(again.has_value());
  CHECK(again->damaged.size() == 1);
  // If its client leaves before it starts, it reads nothing.
  const auto gone = leech.ask(command);
  REQUIRE_FALSE(gone.has_value());
  CHECK(gone.error().code == ErrorCode::cancelled);
}

TEST_CASE("verify: a repair that has started continues when no client waits for it any more") {
  Scene scene;
  SimPeer& leech = scene.leech;
  scene.world.network.set_conditions(slow_link());
  leech.disk.corrupt("/library/game/big.pak", 2'500'000, "damage");
  runtime::CancellationSource asker;
  api::VerifyGame command;
  command.game = "game";
  command.repair = true;
  command.abandoned = asker.token();
  std::optional<Result<api::Verdict>> answer;
  leech.handle().sender().send(command, [&](Result<api::Verdict> verdict) { answer = std::move(verdict); });
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesBegin") == 2; }, 30s));
  asker.request();
  REQUIRE(scene.world.run_until([&] { return answer.has_value(); }, 30s));
  REQUIRE(answer->has_value());
  CHECK((*answer)->repaired);
  CHECK(state_of(leech) == library::GameState::ready);
}
