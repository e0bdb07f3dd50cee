// Downloads of the same game by several peers and from several peers: none waits for the slowest peer, and little is
// sent twice.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <deque>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

net::SocketAddress host(const SimPeer& peer) { return *net::SocketAddress::parse(peer.address); }

void limit_up(SimPeer& peer, std::uint64_t rate) {
  api::SetLimits command;
  command.up = rate;
  REQUIRE(peer.ask(command).has_value());
}

api::DownloadInfo only_download(SimPeer& peer) {
  const auto all = peer.ask(api::ListDownloads{}).value();
  REQUIRE(all.size() == 1);
  return all[0];
}

std::uint64_t bytes_from(SimPeer& leech, const SimPeer& seed) {
  for (const auto& source : only_download(leech).sources) {
    if (source.id == seed.id()) return source.bytes;
  }
  return 0;
}

double seconds(runtime::Duration time) { return std::chrono::duration<double>(time).count(); }

/// Seeds with the game, and receivers that know each other and all of them.
struct Swarm {
  /// `files`: the game has that many files of equal size; if 0, one large file and a few small ones.
  Swarm(std::uint64_t seed_number, std::size_t seed_count, std::size_t leech_count, std::size_t bytes,
        std::size_t files = 0)
      : world(seed_number), size(bytes) {
    SimPeer::Options options;
    for (std::size_t i = 0; i < seed_count; ++i) {
      SimPeer& seed = seeds.emplace_back(world, "seed" + std::to_string(i), "10.0.1." + std::to_string(i + 1));
      make_dated_game(seed.disk, "/library/game", files == 0 ? size : 1000);
      for (std::size_t k = 0; k < files; ++k) {
        const std::string path = "/library/game/more/" + std::to_string(k);
        seed.disk.write(path, content(k, size / files));
        seed.disk.set_mtime(path, 1'700'000'000'000'000'000);
      }
      options.peers.push_back(seed.address);
    }
    for (std::size_t i = 0; i < leech_count; ++i) {
      SimPeer& leech = leeches.emplace_back(world, "leech" + std::to_string(i), "10.0.2." + std::to_string(i + 1));
      leech_options.push_back(options);
      options.peers.push_back(leech.address);
    }
  }
  void start(const SimPeer::Options& seed_options = {}) {
    for (SimPeer& seed : seeds) seed.start(seed_options);
    for (std::size_t i = 0; i < leeches.size(); ++i) leeches[i].start(leech_options[i]);
    meet();
  }
  void meet() {
    const auto all_met = [&] {
      return std::ranges::all_of(leeches, [&](SimPeer& leech) {
        return leech.ask(api::GetStatus{})->peers == seeds.size() + leeches.size() - 1;
      });
    };
    REQUIRE(world.run_until(all_met, 30s));
    for (SimPeer& leech : leeches) REQUIRE(sees(world, leech, seeds.size()));
  }
  void download() {
    for (SimPeer& leech : leeches) REQUIRE(leech.ask(download_of("game")).has_value());
  }
  bool finished(runtime::Duration limit) {
    return world.run_until(
        [&] { return std::ranges::all_of(leeches, [](SimPeer& leech) { return terminal_events(leech) > 0; }); }, limit);
  }
  void check_whole(SimPeer& leech) {
    INFO(leech.name);
    CHECK(leech.count("DownloadGameFilesFinished") == 1);
    CHECK(leech.disk.tree("/library/game") == seeds[0].disk.tree("/library/game"));
    CHECK(leech.disk.read("/library/game/big.pak") == seeds[0].disk.read("/library/game/big.pak"));
    CHECK(leech.count("PeerBanned") == 0);
  }
  std::uint64_t sent_by(const SimPeer& seed) {
    std::uint64_t sum = 0;
    for (SimPeer& leech : leeches) sum += bytes_from(leech, seed);
    return sum;
  }

  SimWorld world;
  const std::size_t size;
  std::deque<SimPeer> seeds;
  std::deque<SimPeer> leeches;
  std::vector<SimPeer::Options> leech_options;
};

}  // namespace

TEST_CASE("six receivers of one limited seed need little more time than one, and the seed sends little more") {
  constexpr std::size_t kSize = 24'000'000;
  Swarm swarm(81, 1, 6, kSize, 240);
  swarm.start();
  limit_up(swarm.seeds[0], 3'000'000);
  const auto begin = swarm.world.executor.now();
  swarm.download();
  REQUIRE(swarm.finished(2min));
  const double time = seconds(swarm.world.executor.now() - begin);
  for (SimPeer& leech : swarm.leeches) swarm.check_whole(leech);
  const double games = static_cast<double>(swarm.sent_by(swarm.seeds[0])) / kSize;
  INFO("time " << time << " s, the seed sent " << games << " games");
  CHECK(time < 1.5 * kSize / 3e6);
  CHECK(games < 1.5);
  // No receiver fetched much twice.
  for (SimPeer& leech : swarm.leeches) CHECK(only_download(leech).bytes_received < kSize * 13 / 10);
}

TEST_CASE("a receiver that starts later also fetches from those that have not finished") {
  constexpr std::size_t kSize = 16'000'000;
  Swarm swarm(82, 1, 3, kSize);
  swarm.start();
  limit_up(swarm.seeds[0], 2'000'000);
  REQUIRE(swarm.leeches[0].ask(download_of("game")).has_value());
  REQUIRE(swarm.leeches[1].ask(download_of("game")).has_value());
  swarm.world.executor.advance(4s);
  REQUIRE(swarm.leeches[2].ask(download_of("game")).has_value());
  REQUIRE(swarm.finished(2min));
  for (SimPeer& leech : swarm.leeches) swarm.check_whole(leech);
  CHECK(bytes_from(swarm.leeches[2], swarm.seeds[0]) < kSize / 2);
  CHECK(bytes_from(swarm.leeches[2], swarm.leeches[0]) > 0);
  CHECK(bytes_from(swarm.leeches[2], swarm.leeches[1]) > 0);
}

TEST_CASE("receivers that leave in the middle, with or without a goodbye, do not hold up the others") {
  constexpr std::size_t kSize = 16'000'000;
  Swarm swarm(83, 1, 4, kSize);
  swarm.start();
  limit_up(swarm.seeds[0], 2'000'000);
  swarm.download();
  swarm.world.executor.advance(4s);
  swarm.leeches[3].crash(5);
  swarm.leeches[2].stop();
  swarm.leeches.pop_back();
  swarm.leeches.pop_back();
  REQUIRE(swarm.finished(2min));
  for (SimPeer& leech : swarm.leeches) swarm.check_whole(leech);
}

TEST_CASE("a cancelled download is no longer served, and other downloads still are") {
  constexpr std::size_t kSize = 16'000'000;
  Swarm swarm(84, 1, 3, kSize);
  swarm.start();
  limit_up(swarm.seeds[0], 2'000'000);
  swarm.download();
  swarm.world.executor.advance(4s);
  api::CancelDownload cancel;
  cancel.game = "game";
  REQUIRE(swarm.leeches[2].ask(cancel).has_value());
  REQUIRE(swarm.finished(2min));
  CHECK(swarm.leeches[2].count("DownloadGameFilesCancelled") == 1);
  swarm.leeches.pop_back();
  for (SimPeer& leech : swarm.leeches) swarm.check_whole(leech);
}

TEST_CASE("receivers whose only seed is gone give up if none of them has the missing chunks") {
  Swarm swarm(85, 1, 2, 16'000'000);
  swarm.start();
  limit_up(swarm.seeds[0], 2'000'000);
  swarm.download();
  swarm.world.executor.advance(3s);
  swarm.seeds[0].stop();
  REQUIRE(swarm.finished(1min));
  for (SimPeer& leech : swarm.leeches) {
    CHECK(leech.count("DownloadGameFilesAllPeersGone") == 1);
    CHECK_FALSE(leech.disk.exists("/library/game"));
  }
}

TEST_CASE("receivers whose only seed leaves after it has sent every chunk once complete the game among themselves") {
  constexpr std::size_t kSize = 16'000'000;
  Swarm swarm(86, 1, 2, kSize);
  swarm.start();
  limit_up(swarm.seeds[0], 2'000'000);
  // The links between them are slow.
  LinkConditions slow;
  slow.bandwidth = 300'000;
  swarm.world.network.set_conditions(host(swarm.leeches[0]), host(swarm.leeches[1]), slow);
  swarm.world.network.set_conditions(host(swarm.leeches[1]), host(swarm.leeches[0]), slow);
  swarm.download();
  // Chunks that no receiver has are requested first, so all have been sent by then.
  const auto most = [&](SimPeer& leech) { return only_download(leech).bytes_done > kSize * 85 / 100; };
  REQUIRE(swarm.world.run_until([&] { return std::ranges::all_of(swarm.leeches, most); }, 1min));
  for (SimPeer& leech : swarm.leeches) CHECK(terminal_events(leech) == 0);
  swarm.seeds[0].stop();
  REQUIRE(swarm.finished(5min));
  for (SimPeer& leech : swarm.leeches) swarm.check_whole(leech);
}

TEST_CASE("two equal seeds serve half of the game each") {
  constexpr std::size_t kSize = 30'000'000;
  Swarm swarm(87, 2, 1, kSize);
  swarm.start();
  for (SimPeer& seed : swarm.seeds) limit_up(seed, 3'000'000);
  const auto begin = swarm.world.executor.now();
  swarm.download();
  REQUIRE(swarm.finished(1min));
  swarm.check_whole(swarm.leeches[0]);
  CHECK(seconds(swarm.world.executor.now() - begin) < 1.25 * kSize / 6e6);
  for (const SimPeer& seed : swarm.seeds) {
    const std::uint64_t bytes = bytes_from(swarm.leeches[0], seed);
    CHECK(bytes > kSize * 45 / 100);
    CHECK(bytes < kSize * 55 / 100);
  }
}

TEST_CASE("a slow seed does not delay the download, and little is fetched twice because of it") {
  constexpr std::size_t kSize = 30'000'000;
  Swarm swarm(88, 2, 1, kSize);
  swarm.start();
  limit_up(swarm.seeds[0], 4'000'000);
  limit_up(swarm.seeds[1], 100'000);
  const auto begin = swarm.world.executor.now();
  swarm.download();
  REQUIRE(swarm.finished(1min));
  swarm.check_whole(swarm.leeches[0]);
  CHECK(seconds(swarm.world.executor.now() - begin) < 1.25 * kSize / 4.1e6);
  CHECK(only_download(swarm.leeches[0]).bytes_received < kSize + 3'000'000);
}

TEST_CASE("five seeds: two honest, one slow, one that dies and one that sends wrong bytes") {
  constexpr std::size_t kSize = 60'000'000;
  constexpr double kFast = 3e6;
  Swarm swarm(89, 5, 1, kSize);
  for (std::size_t i = 0; i < 5; ++i) {
    SimPeer::Options options;
    std::size_t buffers = 0;
    if (i == 4) {
      options.tamper = [buffers](std::span<std::uint8_t> bytes) mutable {
        if (++buffers == 200) bytes[bytes.size() / 2] ^= 1;  // after some MB
        if (buffers > 200) bytes[0] ^= 1;                    // and from then on in every buffer
      };
    }
    swarm.seeds[i].start(options);
  }
  SimPeer& leech = swarm.leeches[0];
  leech.start(swarm.leech_options[0]);
  swarm.meet();
  for (std::size_t i = 0; i < 5; ++i) limit_up(swarm.seeds[i], static_cast<std::uint64_t>(i == 2 ? kFast / 30 : kFast));
  const auto begin = swarm.world.executor.now();
  swarm.download();
  REQUIRE(swarm.world.run_until([&] { return only_download(leech).bytes_done > kSize * 3 / 10; }, 1min));
  const double until_death = seconds(swarm.world.executor.now() - begin);
  swarm.seeds[3].crash(1);
  REQUIRE(swarm.finished(2min));
  const double time = seconds(swarm.world.executor.now() - begin);
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  CHECK(leech.disk.read("/library/game/big.pak") == swarm.seeds[0].disk.read("/library/game/big.pak"));
  CHECK(leech.count("PeerBanned") == 1);
  for (const auto& each : leech.ask(api::ListPeers{}).value()) {
    CHECK((each.state == api::PeerState::banned) == (each.id == swarm.seeds[4].id()));
  }
  // The capacity of the honest seeds: three fast ones until one dies, then two, and the slow one.
  const double honest = 2 * kFast + kFast / 30;
  const double expected = (kSize - kFast * until_death) / honest;
  INFO("time " << time << " s; at the honest seeds' capacity " << expected << " s");
  CHECK(time < 1.25 * expected);
  CHECK(only_download(leech).bytes_received < kSize + 8'000'000);
}

TEST_CASE("a receiver that serves wrong bytes is banned by the peers that it serves") {
  constexpr std::size_t kSize = 16'000'000;
  Swarm swarm(90, 1, 3, kSize);
  swarm.seeds[0].start({});
  swarm.leech_options[1].tamper = [](std::span<std::uint8_t> bytes) { bytes[bytes.size() / 2] ^= 1; };
  for (std::size_t i = 0; i < 3; ++i) swarm.leeches[i].start(swarm.leech_options[i]);
  swarm.meet();
  limit_up(swarm.seeds[0], 2'000'000);
  swarm.download();
  REQUIRE(swarm.finished(2min));
  for (SimPeer& leech : swarm.leeches) {
    INFO(leech.name);
    CHECK(leech.count("DownloadGameFilesFinished") == 1);
    CHECK(leech.disk.read("/library/game/big.pak") == swarm.seeds[0].disk.read("/library/game/big.pak"));
    CHECK(leech.count("PeerBanned") == (&leech == &swarm.leeches[1] ? 0 : 1));
  }
  for (SimPeer* honest : {&swarm.leeches[0], &swarm.leeches[2]}) {
    for (const auto& each : honest->ask(api::ListPeers{}).value()) {
      CHECK((each.state == api::PeerState::banned) == (each.id == swarm.leeches[1].id()));
    }
  }
}
