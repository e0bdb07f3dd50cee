// Requests a shutdown after every single step of a whole scenario: whatever the peers are doing, they stop in time and
// leave nothing behind.
//
// PEERD_SWEEP_STRIDE=1 tests every step, which takes minutes. By default a larger stride keeps the run short, with
// another offset for each seed. scripts/sweep runs every step.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "scenario.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

std::uint64_t stride() {
  const char* text = std::getenv("PEERD_SWEEP_STRIDE");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 0;
}

/// Start, hello, snapshot, download, update, goodbye: a list of actions, each performed when the previous one has taken
/// effect.
class Scenario {
 public:
  explicit Scenario(std::uint64_t seed)
      : world_(seed), seeder_(world_, "seed", "10.0.0.1"), leech_(world_, "leech", "10.0.0.2") {
    make_small_game(seeder_.disk, "/library/game", 1'500'000);
    seeder_.start({});
    leech_.start(knowing(seeder_.address));
  }

  /// One step of the executor, or of the clock if nothing is ready. Returns false when the scenario is complete.
  bool step() {
    act();
    if (done_) return false;
    if (!world_.executor.step()) REQUIRE(world_.executor.advance_to_next_timer());
    return true;
  }

  /// Stops one or both peers, and checks that nothing is left.
  void stop(unsigned which) {
    if (which != 1) seeder_.request_shutdown();
    if (which != 0) leech_.request_shutdown();
    for (SimPeer* peer : {&seeder_, &leech_}) {
      const bool asked = which == 2 || (peer == &leech_) == (which == 1);
      if (asked) REQUIRE(world_.run_until([&] { return peer->stopped(); }, 2s));
    }
    for (SimPeer* peer : {&seeder_, &leech_}) {
      peer->stop();
      CHECK(peer->exit().overran.empty());
      CHECK_FALSE(peer->exit().failed);
      CHECK(peer->tasks() == 0);
      CHECK(peer->workers_idle());
      CHECK(peer->disk.open_files() == 0);
      CHECK(peer->disk.open_directories() == 0);
      CHECK(peer->count("RuntimeFailed") + peer->count("ServiceRestarted") == 0);
      CHECK(terminal_events(*peer) <= peer->count("DownloadGameFilesBegin"));
    }
    world_.executor.run_ready();
    CHECK(world_.executor.timers() == 0);
  }

 private:
  void act() {
    switch (stage_) {
      case 0:
        if (leech_.count("GamesUpdated") == 0) return;
        leech_.handle().sender().send(download_of("game"), [](Result<api::DownloadInfo>) {});
        break;
      case 1:
        if (leech_.count("DownloadGameFilesFinished") == 0) return;
        seeder_.disk.write("/library/game/data/file0", "changed");
        seeder_.handle().sender().send(api::Rescan{}, [](Result<api::Rescan::Reply>) {});
        break;
      case 2:
        if (leech_.count("GamesUpdated") < 2) return;
        leech_.handle().sender().send(download_of("game"), [](Result<api::DownloadInfo>) {});
        break;
      case 3:
        if (leech_.count("DownloadGameFilesFinished") < 2) return;
        leech_.request_shutdown();
        break;
      default: done_ = seeder_.count("PeerGoodbye") == 1; return;
    }
    ++stage_;
  }

  SimWorld world_;
  SimPeer seeder_;
  SimPeer leech_;
  int stage_ = 0;
  bool done_ = false;
};

std::uint64_t length_of(std::uint64_t seed) {
  Scenario scenario(seed);
  std::uint64_t steps = 0;
  while (scenario.step()) REQUIRE(++steps < 10'000'000);
  scenario.stop(2);
  return steps;
}

}  // namespace

TEST_CASE("a stop after any step of a whole scenario leaves nothing behind") {
  constexpr std::uint64_t kSeed = 77;
  constexpr std::uint64_t kRuns = 60;
  const std::uint64_t length = length_of(kSeed);
  const std::uint64_t every = stride() != 0 ? stride() : length / kRuns + 1;
  const std::uint64_t first = stride() != 0 ? 0 : every / 2;
  for (std::uint64_t stop_at = first; stop_at <= length; stop_at += every) {
    INFO("stopped after step " << stop_at << " of " << length);
    Scenario scenario(kSeed);
    for (std::uint64_t i = 0; i < stop_at; ++i) scenario.step();
    scenario.stop(static_cast<unsigned>(stop_at / every % 3));
  }
}
