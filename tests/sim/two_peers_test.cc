// Two complete peers in one process and one thread, under virtual time.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

void make_game(MemoryDisk& disk, const std::string& path) {
  for (int i = 0; i < 300; ++i) {
    disk.write(path + "/data/level" + std::to_string(i % 7) + "/file" + std::to_string(i), content(i, 200 + i * 13));
  }
  disk.write(path + "/big.pak", content(1000, 9'500'000));
  disk.write(path + "/empty", "");
  disk.write(path + "/run.sh", "#!/bin/sh\n");
  disk.set_executable(path + "/run.sh", true);
  disk.make_directories(path + "/saves");
  disk.make_symlink(path + "/current", "data/level0");
}

struct Outcome {
  std::vector<std::string> trace;
  std::vector<std::string> tree;
};

Outcome transfer(std::uint64_t seed, const LinkConditions& conditions) {
  SimWorld world(seed);
  world.network.set_conditions(conditions);
  SimPeer seed_peer(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  make_game(seed_peer.disk, "/library/game");
  seed_peer.start({});
  SimPeer::Options options;
  options.peers = {seed_peer.address};
  leech.start(options);

  REQUIRE(world.run_until([&] { return leech.count("GamesUpdated") > 0; }, 1min));
  api::StartDownload start;
  start.game = "game";
  const auto begun = leech.ask(start);
  REQUIRE(begun.has_value());
  const bool ended = world.run_until(
      [&] { return leech.count("DownloadGameFilesFinished") + leech.count("DownloadGameFilesFailed") > 0; }, 10min);
  INFO(world.trace.back());
  REQUIRE(ended);
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  CHECK(leech.disk.tree("/library/game") == seed_peer.disk.tree("/library/game"));
  for (const char* file : {"big.pak", "run.sh", "empty", "data/level3/file3"}) {
    CHECK(leech.disk.read(std::string("/library/game/") + file) ==
          seed_peer.disk.read(std::string("/library/game/") + file));
  }
  leech.request_shutdown();
  REQUIRE(world.run_until([&] { return leech.stopped(); }, 5s));
  CHECK(leech.exit().overran.empty());
  CHECK(world.run_until([&] { return seed_peer.count("PeerGoodbye") == 1; }, 1s));
  CHECK(seed_peer.count("PeerLost") == 0);
  seed_peer.request_shutdown();
  REQUIRE(world.run_until([&] { return seed_peer.stopped(); }, 5s));
  CHECK(seed_peer.exit().overran.empty());
  return {world.trace, leech.disk.tree("/library")};
}

}  // namespace

TEST_CASE("a game is downloaded over a network with delay and loss, under virtual time") {
  LinkConditions conditions;
  conditions.delay = 2ms;
  conditions.jitter = 500us;
  conditions.loss = 0.01;
  const Outcome outcome = transfer(7, conditions);
  CHECK(std::ranges::find(outcome.tree, "game/run.sh") != outcome.tree.end());
}

TEST_CASE("the same seed gives the same trace of events") {
  LinkConditions conditions;
  conditions.delay = 1ms;
  conditions.jitter = 1ms;
  conditions.loss = 0.02;
  conditions.reorder = 0.01;
  CHECK(transfer(11, conditions).trace == transfer(11, conditions).trace);
}

TEST_CASE("three peers that all dial each other also give the same trace for the same seed") {
  const auto live = [] {
    SimWorld world(13);
    SimPeer a(world, "a", "10.0.0.1");
    SimPeer b(world, "b", "10.0.0.2");
    SimPeer c(world, "c", "10.0.0.3");
    for (SimPeer* peer : {&a, &b}) make_small_game(peer->disk, "/library/game", 3'000'000);
    for (SimPeer* peer : {&a, &b, &c}) {
      SimPeer::Options options;
      for (const SimPeer* other : {&a, &b, &c}) {
        if (other != peer) options.peers.push_back(other->address);
      }
      peer->start(options);
    }
    REQUIRE(world.run_until([&] { return c.count("GamesUpdated") > 0; }, 1min));
    REQUIRE(c.ask(download_of("game")).has_value());
    REQUIRE(world.run_until([&] { return c.count("DownloadGameFilesFinished") == 1; }, 1min));
    return world.trace;
  };
  CHECK(live() == live());
}
