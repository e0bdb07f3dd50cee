// A day with twenty peers that join and leave: tasks, handles and memory are the same at its end as at its start.
//
// The long test is hidden, because it takes minutes: `sim "[day]"`, or scripts/sweep. The short one always runs.
#include <dirent.h>
#include <malloc.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

std::size_t descriptors() {
  std::size_t count = 0;
  DIR* directory = opendir("/proc/self/fd");
  REQUIRE(directory != nullptr);
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

struct Counts {
  std::size_t tasks = 0, timers = 0, descriptors = 0, files = 0, heap = 0;
};

/// `stays` runs all the time; `peers` others join and leave at random, with or without a goodbye, and download what
/// they find.
void live(SimWorld& world, SimPeer& stays, std::size_t peers, Random& random, runtime::Duration time) {
  std::vector<std::unique_ptr<SimPeer>> others;
  for (std::size_t i = 0; i < peers; ++i) {
    others.push_back(std::make_unique<SimPeer>(world, "peer" + std::to_string(i), "10.0.0." + std::to_string(i + 1)));
  }
  const runtime::TimePoint end = world.executor.now() + time;
  std::uint64_t crash = 1;
  while (world.executor.now() < end) {
    SimPeer& peer = *others[random.below(others.size())];
    if (peer.stopped()) {
      peer.start(knowing(stays.address));
      peer.handle().sender().send(
          [] {
            api::StartDownload start = download_of("game");
            start.wait = 1min;
            return start;
          }(),
          [](Result<api::DownloadInfo>) {});
    } else if (random.below(2) == 0) {
      peer.stop();
      CHECK(peer.exit().overran.empty());
    } else {
      peer.crash(crash++);
    }
    world.executor.advance(1min);
  }
}

Counts rest(SimWorld& world, SimPeer& stays) {
  world.trace.clear();
  world.trace.shrink_to_fit();
  world.executor.advance(15min);  // long enough for peers that are gone to be forgotten
  Counts counts;
  counts.tasks = stays.tasks();
  counts.timers = world.executor.timers();
  counts.descriptors = descriptors();
  counts.files = stays.disk.open_files() + stays.disk.open_directories();
  counts.heap = mallinfo2().uordblks;
  CHECK(stays.ask(api::ListPeers{})->empty());
  return counts;
}

void check_day(std::size_t peers, runtime::Duration before, runtime::Duration time) {
  SimWorld world(99);
  SimPeer stays(world, "stays", "10.0.1.1");
  make_small_game(stays.disk, "/library/game", 300'000);
  stays.start({});
  const auto random = seeded_random(world.seed);
  live(world, stays, peers, *random, before);
  const Counts first = rest(world, stays);
  live(world, stays, peers, *random, time);
  const Counts last = rest(world, stays);
  CHECK(last.tasks == first.tasks);
  CHECK(last.timers == first.timers);
  CHECK(last.descriptors == first.descriptors);
  CHECK(last.files == first.files);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
  INFO("heap " << first.heap << " -> " << last.heap);
  CHECK(last.heap < first.heap + 1'000'000);
#endif
  CHECK(stays.count("ServiceRestarted") + stays.count("RuntimeFailed") == 0);
}

}  // namespace

TEST_CASE("an hour with five peers that join and leave leaks nothing") { check_day(5, 30min, 1h); }

TEST_CASE("a day with twenty peers that join and leave leaks nothing", "[.][day]") { check_day(20, 4h, 24h); }
