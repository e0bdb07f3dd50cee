// An exception inside a download, a lane, a command, a session or a request ends only that one, with the right event
// and all tables cleared. Everything else continues.
#include "libpeer/base/fault.h"

#if PEERD_TEST_HOOKS

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "libpeer/staging/progress_log.h"
#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

/// A seed with two games, a leech, and a third peer that is connected to both.
struct Trio {
  SimWorld world;
  SimPeer seeder;
  SimPeer leech;
  SimPeer beside;

  explicit Trio(std::uint64_t seed)
      : world(seed),
        seeder(world, "seed", "10.0.0.1"),
        leech(world, "leech", "10.0.0.2"),
        beside(world, "beside", "10.0.0.3") {
    make_small_game(seeder.disk, "/library/game", 6'000'000);
    make_small_game(seeder.disk, "/library/other", 3'000'000);
    seeder.start({});
    leech.start(knowing(seeder.address));
    SimPeer::Options both;
    both.peers = {seeder.address, leech.address};
    beside.start(both);
    REQUIRE(world.run_until([&] { return all_connected(); }, 30s));
    REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{}).value().size() == 2; }, 30s));
  }

  bool all_connected() {
    return std::ranges::all_of(peers(), [](SimPeer* peer) { return peer->ask(api::GetStatus{})->peers == 2; });
  }
  std::array<SimPeer*, 3> peers() { return {&seeder, &leech, &beside}; }

  /// Checks that no runtime has failed, all still serve, and all end cleanly.
  void check_rest() {
    REQUIRE(world.run_until([&] { return all_connected(); }, 60s));
    for (SimPeer* peer : peers()) {
      CHECK(peer->count("RuntimeFailed") + peer->count("ServiceRestarted") == 0);
      const auto status = peer->ask(api::GetStatus{});
      REQUIRE(status.has_value());
      for (const auto& service : status->services) CHECK(service.state == "running");
    }
    for (SimPeer* peer : peers()) {
      peer->request_shutdown();
      REQUIRE(world.run_until([&] { return peer->stopped(); }, 3s));
      CHECK(peer->exit().overran.empty());
      CHECK_FALSE(peer->exit().failed);
      peer->stop();
      CHECK(peer->tasks() == 0);
      CHECK(peer->workers_idle());
      CHECK(peer->disk.open_files() == 0);
      CHECK(peer->disk.open_directories() == 0);
    }
  }
  /// Checks that no peer lost another.
  void check_sessions_untouched() {
    for (SimPeer* peer : peers()) {
      CHECK(peer->count("PeerConnected") == 2);
      CHECK(peer->count("PeerLost") + peer->count("PeerGoodbye") == 0);
    }
  }

  std::vector<api::DownloadInfo> downloads() { return leech.ask(api::ListDownloads{}).value(); }
  const api::DownloadInfo* find(const std::vector<api::DownloadInfo>& all, const std::string& game) {
    const auto found = std::ranges::find(all, game, &api::DownloadInfo::game);
    return found == all.end() ? nullptr : &*found;
  }
  bool told(const std::string& text) const {
    return std::ranges::any_of(world.trace, [&](const std::string& line) { return line.contains(text); });
  }
};

}  // namespace

TEST_CASE("an exception in a download fails that download, keeps its data, and lets the other download finish") {
  Trio trio(1);
  trio.world.network.set_conditions(slow_link());
  REQUIRE(trio.leech.ask(download_of("game")).has_value());
  const auto has_some = [&] {
    const auto all = trio.downloads();
    const auto* row = trio.find(all, "game");
    return row != nullptr && row->bytes_done >= (2U << 20);
  };
  REQUIRE(trio.world.run_until(has_some, 30s));
  REQUIRE(fault::arm("download"));
  REQUIRE(trio.world.run_until([&] { return terminal_events(trio.leech) == 1; }, 30s));
  CHECK(fault::armed("download") == 0);
  CHECK(trio.leech.count("DownloadGameFilesFailed") == 1);
  CHECK(trio.told("leech DownloadGameFilesFailed game"));
  CHECK(trio.told("the download of game failed: download: told to fail"));
  CHECK(trio.leech.tasks("download game") + trio.leech.tasks("plan") + trio.leech.tasks("lane") == 0);
  const auto all = trio.downloads();
  REQUIRE(trio.find(all, "game") != nullptr);
  CHECK(trio.find(all, "game")->state == api::DownloadState::failed);
  CHECK(trio.leech.ask(api::GetStatus{})->downloads == 0);
  // The staging was closed cleanly: the next attempt reuses the received data.
  const std::string log = trio.leech.disk.read("/library/.peerd/staging/game/log");
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(log.data()), log.size());
  const Digest version = trio.find(all, "game")->version;
  const auto content = staging::parse_log(bytes, version, 11);
  CHECK(content.clean);
  CHECK(std::ranges::count(content.have, true) >= 2);

  REQUIRE(trio.leech.ask(download_of("other")).has_value());
  REQUIRE(trio.leech.ask(download_of("game")).has_value());
  REQUIRE(trio.world.run_until([&] { return trio.leech.count("DownloadGameFilesFinished") == 2; }, 60s));
  CHECK(trio.leech.count("DownloadGameFilesFailed") == 1);
  trio.check_sessions_untouched();
  trio.check_rest();
}

TEST_CASE("an exception in a download does not affect the one that runs beside it") {
  Trio trio(2);
  trio.world.network.set_conditions(slow_link());
  REQUIRE(trio.leech.ask(download_of("other")).has_value());
  REQUIRE(trio.leech.ask(download_of("game")).has_value());
  REQUIRE(fault::arm("download"));
  REQUIRE(trio.world.run_until([&] { return terminal_events(trio.leech) == 2; }, 60s));
  CHECK(trio.leech.count("DownloadGameFilesFailed") == 1);
  CHECK(trio.leech.count("DownloadGameFilesFinished") == 1);
  trio.check_sessions_untouched();
  trio.check_rest();
}

TEST_CASE("an exception while a source is read ends only that source, which the download tries again") {
  Trio trio(3);
  REQUIRE(fault::arm("lane"));
  REQUIRE(trio.leech.ask(download_of("game")).has_value());
  REQUIRE(trio.world.run_until([&] { return terminal_events(trio.leech) == 1; }, 2min));
  CHECK(fault::armed("lane") == 0);
  CHECK(trio.leech.count("DownloadGameFilesFinished") == 1);
  trio.check_sessions_untouched();
  trio.check_rest();
}

TEST_CASE("an exception during the start, after the first tasks run, fails the runtime, which stops cleanly") {
  SimWorld world(5);
  SimPeer peer(world, "peer", "10.0.0.1");
  REQUIRE(fault::arm("start"));
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.stopped(); }, 3s));
  CHECK(fault::armed("start") == 0);
  CHECK(peer.count("RuntimeFailed") == 1);
  CHECK(peer.count("RuntimeReady") == 0);
  CHECK(peer.exit().failed);
  CHECK(peer.exit().overran.empty());
}

TEST_CASE("an exception in a command fails only that command") {
  Trio trio(4);
  REQUIRE(fault::arm("command"));
  const auto at_once = trio.leech.ask(api::GetStatus{});
  REQUIRE_FALSE(at_once.has_value());
  CHECK(at_once.error().code == ErrorCode::internal);
  CHECK(at_once.error().message == "the command failed: command: told to fail");
  REQUIRE(fault::arm("command"));
  const auto later = trio.leech.ask(api::ListTasks{});
  REQUIRE_FALSE(later.has_value());
  CHECK(later.error().code == ErrorCode::internal);
  CHECK(later.error().message == "the command failed: command: told to fail");
  CHECK(trio.leech.ask(api::ListTasks{}).has_value());
  trio.check_sessions_untouched();
  trio.check_rest();
}

TEST_CASE("an exception in a session ends only that session, and the peers reconnect") {
  for (const std::string where : {"accepted session", "dialled session", "session message"}) {
    INFO(where);
    Trio trio(5);
    REQUIRE(fault::arm(where));
    const auto lost = [&] {
      std::size_t count = 0;
      for (SimPeer* peer : trio.peers()) count += peer->count("PeerLost") + peer->count("PeerGoodbye");
      return count;
    };
    // The next message of any session fails; that pair of peers loses each other.
    REQUIRE(trio.world.run_until([&] { return fault::armed(where) == 0; }, 60s));
    REQUIRE(trio.world.run_until([&] { return lost() >= 2; }, 5s));
    REQUIRE(trio.world.run_until([&] { return trio.all_connected(); }, 1min));
    CHECK(lost() == 2);
    std::size_t met = 0;
    for (SimPeer* peer : trio.peers()) met += peer->count("PeerConnected");
    CHECK(met == 6 + 2);
    trio.check_rest();
  }
}

TEST_CASE("an exception in a request handler closes its connection; the sessions and the download continue") {
  Trio trio(6);
  REQUIRE(trio.leech.ask(download_of("game")).has_value());
  REQUIRE(fault::arm("request"));
  REQUIRE(trio.world.run_until([&] { return terminal_events(trio.leech) == 1; }, 2min));
  CHECK(fault::armed("request") == 0);
  CHECK(trio.leech.count("DownloadGameFilesFinished") == 1);
  trio.check_sessions_untouched();
  trio.check_rest();
}

TEST_CASE("an exception in an event listener is logged, and interrupts neither the runtime nor its stop") {
  Trio trio(7);
  REQUIRE(fault::arm("event"));
  REQUIRE(trio.leech.ask(download_of("game")).has_value());
  REQUIRE(trio.world.run_until([&] { return fault::armed("event") == 0; }, 30s));
  CHECK(trio.leech.logged(LogLevel::error, "the event listener failed on ") == 1);
  REQUIRE(trio.world.run_until([&] { return terminal_events(trio.leech) == 1; }, 1min));
  CHECK(trio.leech.count("DownloadGameFilesFinished") == 1);
  trio.check_sessions_untouched();
  // The first event of the stop itself.
  REQUIRE(fault::arm("event"));
  trio.beside.request_shutdown();
  REQUIRE(trio.world.run_until([&] { return trio.beside.stopped(); }, 3s));
  CHECK(fault::armed("event") == 0);
  CHECK(trio.beside.logged(LogLevel::error, "the event listener failed on ShuttingDown") == 1);
  CHECK(trio.beside.exit().overran.empty());
  CHECK_FALSE(trio.beside.exit().failed);
}

#endif
