// A stop right after the network has died, with open sessions and a download at full speed: no peer counts as lost yet,
// and no Goodbye is acknowledged, but the stop is still clean and in time.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr runtime::Duration kLimit = 2200ms;

LinkConditions full_speed() {
  LinkConditions conditions;
  conditions.bandwidth = 20'000'000;
  return conditions;
}

/// Cuts off the host of `victim` in the middle of the download from `seeder` to `leech`, and stops it right then.
void stop_when_cut(std::uint64_t seed, bool stop_sender, runtime::Duration between) {
  SimWorld world(seed);
  world.network.set_conditions(full_speed());
  SimPeer seeder(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  SimPeer beside(world, "beside", "10.0.0.3");
  make_small_game(seeder.disk, "/library/game", 24'000'000);
  seeder.start({});
  leech.start(knowing(seeder.address));
  SimPeer::Options both;
  both.peers = {seeder.address, leech.address};
  beside.start(both);
  REQUIRE(sees(world, leech, 1));
  SimPeer& victim = stop_sender ? seeder : leech;
  REQUIRE(world.run_until([&] { return victim.ask(api::GetStatus{})->peers == 2; }, 30s));
  REQUIRE(leech.ask(download_of("game")).has_value());
  const auto in_the_middle = [&] {
    const auto rows = leech.ask(api::ListDownloads{}).value();
    return !rows.empty() && rows.front().bytes_done > 4'000'000;
  };
  REQUIRE(world.run_until(in_the_middle, 30s));
  REQUIRE(terminal_events(leech) == 0);

  world.network.cut(*net::SocketAddress::parse(victim.address));
  world.executor.advance(between);
  CHECK(victim.count("PeerLost") + victim.count("PeerGoodbye") == 0);
  const runtime::TimePoint asked = world.executor.now();
  victim.request_shutdown();
  REQUIRE(world.run_until([&] { return victim.stopped(); }, kLimit));
  INFO("stopped after " << (world.executor.now() - asked) / 1ms << " ms");
  CHECK(victim.exit().overran.empty());
  CHECK_FALSE(victim.exit().failed);
  victim.stop();
  CHECK(victim.tasks() == 0);
  CHECK(victim.workers_idle());
  CHECK(victim.disk.open_files() == 0);
  CHECK(victim.disk.open_directories() == 0);
}

}  // namespace

TEST_CASE("a stop on a network that has just died is clean and in time") {
  for (const bool stop_sender : {true, false}) {
    for (const runtime::Duration between : {0ms, 3ms, 50ms, 400ms}) {
      INFO((stop_sender ? "the sender" : "the receiver") << ", " << between / 1ms << " ms after the cut");
      stop_when_cut(41, stop_sender, between);
    }
  }
}
