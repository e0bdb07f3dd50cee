// A disk that cannot sync, and received data that is no longer needed.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

TEST_CASE("doctor: a disk that accepts writes but cannot sync them is bad") {
  SimWorld world(82);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  peer.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "file_sync" && path.ends_with("/.peerd/doctor") ? EIO : 0;
  });
  const auto findings = peer.ask(api::Diagnose{}).value();
  const auto disk = std::ranges::find(findings, "disk", &api::Finding::subject);
  REQUIRE(disk != findings.end());
  CHECK(disk->verdict == api::FindingVerdict::bad);
  CHECK_FALSE(peer.disk.exists("/library/.peerd/doctor"));
  peer.disk.on_call({});
}

TEST_CASE("a cancelled download is discarded without logging its received chunks") {
  SimWorld world(83);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 8'000'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(sees(world, leech, 1));
  REQUIRE(leech.ask(download_of("game")).has_value());
  bool cancelling = false;
  std::size_t logged = 0;
  leech.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
    if (cancelling && operation == "write_at" && path.ends_with("/log")) ++logged;
    return 0;
  });
  REQUIRE(world.run_until(
      [&] {
        const auto downloads = leech.ask(api::ListDownloads{}).value();
        return !downloads.empty() && downloads[0].bytes_received >= 500'000;
      },
      1min));
  cancelling = true;
  api::CancelDownload cancel;
  cancel.game = "game";
  REQUIRE(leech.ask(cancel).has_value());
  CHECK(logged == 0);
  CHECK(leech.count("DownloadGameFilesCancelled") == 1);
  CHECK_FALSE(leech.disk.exists("/library/.peerd/staging/game"));
  leech.disk.on_call({});
}
