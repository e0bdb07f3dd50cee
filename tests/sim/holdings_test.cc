// Announcements of holdings: to which peers, how often, and what false announcements cause.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"
#include "support/node/raw_peer.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSize = 12'000'000;

struct Scene {
  Scene() {
    make_dated_game(seed.disk, "/library/game", kSize);
    seed.start({});
    leech.start(knowing(seed.address));
    REQUIRE(sees(world, leech, 1));
    api::SetLimits command;
    command.up = 2'000'000;
    REQUIRE(seed.ask(command).has_value());
    version = leech.ask(api::ListGames{})->at(0).remote.at(0).version;
  }
  void greet(RawPeer& raw) {
    REQUIRE(raw.open());
    raw.send(raw.hello());
    REQUIRE(world.run_until([&] { return raw.count<protocol::Hello>() == 1; }, 5s));
  }
  protocol::Holdings all() const { return {"game", version, kChunks, {{0, kChunks}}}; }
  void finish() {
    REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 1min));
    CHECK(leech.count("DownloadGameFilesFinished") == 1);
    CHECK(leech.disk.read("/library/game/big.pak") == seed.disk.read("/library/game/big.pak"));
    CHECK(leech.count("PeerBanned") == 0);
  }

  static constexpr std::uint64_t kChunks = 12 + 5;  // big.pak and the five small files
  SimWorld world{91};
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.3"};
  Digest version;
};

/// The holdings of that game that it received, and their number.
std::pair<std::size_t, std::uint64_t> told(const RawPeer& raw) {
  std::pair<std::size_t, std::uint64_t> sum{};
  for (const auto& message : raw.received) {
    const auto* holdings = std::get_if<protocol::Holdings>(&message);
    if (holdings == nullptr) continue;
    ++sum.first;
    for (const auto& run : holdings->runs) sum.second += run.count;
  }
  return sum;
}

}  // namespace

TEST_CASE("a peer that downloads nothing receives the start and the end of a download, and nothing between") {
  Scene scene;
  RawPeer raw(scene.world, "10.0.0.9", scene.leech.address);
  scene.greet(raw);
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  scene.finish();
  scene.world.executor.advance(5s);
  CHECK(told(raw) == std::pair<std::size_t, std::uint64_t>(1, 0));
  CHECK(raw.count<protocol::HoldingsEnd>() == 0);  // the library update implies it
  CHECK(raw.count<protocol::LibraryUpdate>() >= 1);
}

TEST_CASE(
    "a peer that downloads the same version receives all holdings, at most twice a second, even if it joins late") {
  Scene scene;
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  scene.world.executor.advance(2s);
  RawPeer raw(scene.world, "10.0.0.9", scene.leech.address);
  scene.greet(raw);
  REQUIRE(scene.world.run_until([&] { return told(raw).first == 1; }, 1s));
  CHECK(told(raw).second == 0);
  raw.send(protocol::Holdings{"game", scene.version, Scene::kChunks, {}});
  REQUIRE(scene.world.run_until([&] { return told(raw).first == 2; }, 1s));
  CHECK(told(raw).second > 0);
  const auto before = scene.world.executor.now();
  scene.finish();
  const double seconds = std::chrono::duration<double>(scene.world.executor.now() - before).count();
  CHECK(static_cast<double>(told(raw).first) <= 2 + 2 * seconds + 1);
  CHECK(told(raw).second <= Scene::kChunks);
}

TEST_CASE("the end of a cancelled download is announced") {
  Scene scene;
  RawPeer raw(scene.world, "10.0.0.9", scene.leech.address);
  scene.greet(raw);
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  scene.world.executor.advance(2s);
  api::CancelDownload cancel;
  cancel.game = "game";
  REQUIRE(scene.leech.ask(cancel).has_value());
  CHECK(scene.world.run_until([&] { return raw.count<protocol::HoldingsEnd>() == 1; }, 3s));
}

TEST_CASE("false holdings do no harm: of every chunk, of none, of another version, or repeated endlessly") {
  Scene scene;
  RawPeer raw(scene.world, "10.0.0.9", scene.leech.address);
  scene.greet(raw);
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  scene.world.executor.advance(500ms);
  raw.send(scene.all());
  protocol::Holdings other = scene.all();
  other.version.bytes[0] ^= 1;
  raw.send(other);
  other = scene.all();
  other.chunks += 1;
  raw.send(other);
  other.game = "another";
  raw.send(other);
  raw.send(protocol::HoldingsEnd{"another", scene.version});
  for (int i = 0; i < 200; ++i) {
    raw.send(scene.all());
    scene.world.executor.advance(1ms);
  }
  scene.finish();
  CHECK_FALSE(raw.over());
}

TEST_CASE("no download starts from a peer that is only downloading the game itself") {
  Scene scene;
  RawPeer raw(scene.world, "10.0.0.9", scene.leech.address);
  scene.greet(raw);
  raw.send(protocol::Holdings{"rumour", scene.version, 3, {{0, 3}}});
  scene.world.executor.advance(1s);
  CHECK(scene.leech.ask(download_of("rumour")).error().code == ErrorCode::not_found);
  CHECK(scene.leech.ask(api::ListGames{})->size() == 1);
}
