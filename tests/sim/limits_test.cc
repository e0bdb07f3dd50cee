// Limits on chunk payload between complete peers, measured at the receiver.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

struct Scene {
  explicit Scene(std::size_t size) {
    for (const char* game : {"a", "b"}) make_small_game(seed.disk, std::string("/library/") + game, size);
    seed.start({});
    leech.start(knowing(seed.address));
    REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == 2; }, 10s));
  }
  std::uint64_t received() {
    std::uint64_t sum = 0;
    for (const auto& each : leech.ask(api::ListDownloads{}).value()) sum += each.bytes_received;
    return sum;
  }
  /// Bytes per second, measured over that time.
  double rate(runtime::Duration time) {
    const std::uint64_t before = received();
    world.executor.advance(time);
    return static_cast<double>(received() - before) / std::chrono::duration<double>(time).count();
  }
  static api::Limits set(SimPeer& peer, std::optional<std::uint64_t> up, std::optional<std::uint64_t> down) {
    api::SetLimits command;
    command.up = up;
    command.down = down;
    return peer.ask(command).value();
  }

  SimWorld world{71};
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.3"};
};

bool within(double value, double expected) { return value > 0.95 * expected && value < 1.05 * expected; }

}  // namespace

TEST_CASE(
    "limits: the seed's send and the receiver's receive limit apply to all downloads together, and change at once") {
  const bool up = GENERATE(true, false);
  Scene scene(20'000'000);
  SimPeer& limited = up ? scene.seed : scene.leech;
  const auto set = [&](std::uint64_t rate) {
    return up ? Scene::set(limited, rate, std::nullopt) : Scene::set(limited, std::nullopt, rate);
  };
  const api::Limits limits = set(200'000);
  CHECK((up ? limits.up : limits.down) == 200'000);
  CHECK((up ? limits.down : limits.up) == 0);
  REQUIRE(scene.leech.ask(download_of("a")).has_value());
  REQUIRE(scene.leech.ask(download_of("b")).has_value());
  scene.world.executor.advance(3s);
  CHECK(within(scene.rate(10s), 200'000));
  // The rate is smooth: every half second is alike.
  for (int i = 0; i < 4; ++i) {
    const double rate = scene.rate(500ms);
    CHECK(rate > 100'000);
    CHECK(rate < 300'000);
  }
  for (const auto& each : scene.leech.ask(api::ListDownloads{}).value()) {
    CHECK(each.bottleneck == (up ? "sender" : "limit"));
  }
  set(2'000'000);
  scene.world.executor.advance(500ms);
  CHECK(within(scene.rate(5s), 2'000'000));
  CHECK(limited.ask(api::GetLimits{})->up == (up ? 2'000'000 : 0));
  set(0);
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 2; }, 20s));
}

TEST_CASE("limits: without a limit, on a slow network, the bottleneck is the network") {
  SimWorld world(72);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 30'000'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(sees(world, leech, 1));
  REQUIRE(leech.ask(download_of("game")).has_value());
  world.executor.advance(3s);
  CHECK(leech.ask(api::ListDownloads{})->at(0).bottleneck == "network");
}
