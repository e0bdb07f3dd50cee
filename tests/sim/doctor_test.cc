// The results of the commands doctor and metrics.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <regex>
#include <sstream>

#include "scenario.h"
#include "support/discovery/fake_discovery.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using Judgement = api::FindingVerdict;

namespace {

std::optional<api::Finding> about(SimPeer& peer, const std::string& subject) {
  const auto findings = peer.ask(api::Diagnose{}).value();
  const auto found = std::ranges::find(findings, subject, &api::Finding::subject);
  return found == findings.end() ? std::nullopt : std::optional(*found);
}

double sample(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

}  // namespace

TEST_CASE("doctor: every finding is reported as good, or with a fix") {
  FakeDiscovery discovery;  // outlives the run
  SimWorld world(81);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  SimPeer::Options options = knowing(other.address);
  options.discovery = &discovery;
  peer.start(options);
  other.start({});
  REQUIRE(world.run_until([&] { return peer.count("PeerConnected") == 1; }, 10s));
  CHECK(about(peer, "space")->verdict == Judgement::good);
  CHECK(about(peer, "disk")->verdict == Judgement::good);
  CHECK(about(peer, "peer other")->verdict == Judgement::good);
  CHECK_FALSE(about(peer, "discovery"));
  CHECK_FALSE(peer.disk.exists("/library/.peerd/doctor"));

  discovery.fail("avahi-daemon is not running");
  const auto no_mdns = about(peer, "discovery");
  REQUIRE(no_mdns);
  CHECK(no_mdns->verdict == Judgement::bad);
  CHECK(no_mdns->text.find("avahi-daemon is not running") != std::string::npos);
  CHECK_FALSE(no_mdns->fix.empty());

  peer.disk.set_capacity(1'000'000);
  CHECK(about(peer, "space")->verdict == Judgement::bad);
  CHECK_FALSE(about(peer, "disk"));  // nothing is written where there is no room

  world.network.cut(*net::SocketAddress::parse(other.address));
  REQUIRE(world.run_until([&] { return peer.count("PeerLost") == 1; }, 60s));
  const auto unreachable = about(peer, "peer other");
  REQUIRE(unreachable);
  CHECK(unreachable->verdict == Judgement::warning);
  CHECK(unreachable->fix.find("firewall") != std::string::npos);
}

TEST_CASE("doctor: a game from the future means that a clock is wrong") {
  SimWorld world(84);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer peer(world, "peer", "10.0.0.2");
  make_small_game(seed.disk, "/library/game", 1000);
  seed.start({});
  peer.start(knowing(seed.address));
  REQUIRE(sees(world, peer, 1));
  CHECK(about(peer, "clock")->verdict == Judgement::good);

  seed.disk.write("/library/later/file", "x");
  seed.disk.set_mtime("/library/later/file", world.wall_clock() + 49 * 3'600'000'000'000);
  REQUIRE(seed.ask(api::Rescan{}).has_value());
  REQUIRE(world.run_until([&] { return peer.ask(api::ListGames{}).value().size() == 2; }, 60s));
  const auto clock = about(peer, "clock");
  CHECK(clock->verdict == Judgement::warning);
  CHECK(clock->text.find("later") != std::string::npos);
  CHECK(!clock->fix.empty());
}

TEST_CASE("doctor: a root that is not writable is reported") {
  SimWorld world(82);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  CHECK(about(peer, "peers")->verdict == Judgement::warning);  // no peer is known
  peer.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "write_at" && path.ends_with("/doctor") ? EROFS : 0;
  });
  const auto disk = about(peer, "disk");
  REQUIRE(disk);
  CHECK(disk->verdict == Judgement::bad);
  CHECK(disk->fix.find("/library") != std::string::npos);
  CHECK_FALSE(peer.disk.exists("/library/.peerd/doctor"));
}

TEST_CASE("doctor: a missing library root is not recreated, is reported by every command, and its return is noticed") {
  SimWorld world(85);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/library/game", 1000);
  peer.start({});
  const auto games = [&] { return peer.ask(api::ListGames{}).value(); };
  REQUIRE(world.run_until([&] { return games().size() == 1 && games()[0].local->offered; }, 60s));
  CHECK(games().missing_roots.empty());
  peer.disk.remove("/library");
  for (int i = 0; i < 3; ++i) {
    const auto disk = about(peer, "disk");
    REQUIRE(disk);
    CHECK(disk->verdict == Judgement::bad);
    CHECK(disk->fix.contains("mount /library"));
    CHECK(about(peer, "library")->verdict == Judgement::bad);
    CHECK_FALSE(peer.disk.exists("/library"));
  }
  const auto rescanned = peer.ask(api::Rescan{}).value();
  REQUIRE(rescanned.size() == 1);
  CHECK(rescanned[0].path == "/library");
  CHECK(games().missing_roots == rescanned);
  CHECK(peer.ask(api::GetStatus{})->missing_roots == rescanned);
  CHECK(games().empty());
  world.executor.advance(10min);
  CHECK_FALSE(peer.disk.exists("/library"));
  make_small_game(peer.disk, "/library/game", 1000);
  REQUIRE(world.run_until([&] { return peer.ask(api::GetStatus{})->missing_roots.empty(); }, 4s));
  REQUIRE(world.run_until([&] { return games().size() == 1; }, 1s));
}

TEST_CASE("metrics: every line has Prometheus's format, and the values match what happened") {
  SimWorld world(83);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  make_small_game(seed.disk, "/library/game", 5'000'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(sees(world, leech, 1));
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 20s));

  const std::string text = leech.ask(api::GetMetrics{}).value();
  const std::regex line(
      R"(# (HELP|TYPE) peerd_[a-z_]+ .+|peerd_[a-z_]+(\{[a-z_]+="[^"\\\n]*"\})? -?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?)");
  std::istringstream lines(text);
  for (std::string each; std::getline(lines, each);) {
    INFO(each);
    CHECK(std::regex_match(each, line));
  }
  CHECK(sample(text, "peerd_downloads_ended_total{outcome=\"finished\"}") == 1);
  CHECK(sample(text, "peerd_received_bytes_total{peer_id=\"" + seed.id().hex() + "\"}") >= 5'000'000);
  CHECK(sample(text, "peerd_games_offered") == 1);
  CHECK(sample(text, "peerd_peers_connected") == 1);
  const std::string sent = "peerd_sent_bytes_total{peer_id=\"" + leech.id().hex() + "\"}";
  CHECK(sample(seed.ask(api::GetMetrics{}).value(), sent) >= 5'000'000);
}
