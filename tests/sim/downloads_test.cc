// Downloads between several peers: peers that die or send wrong data, waits, and crashes.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

net::SocketAddress host(const SimPeer& peer) { return *net::SocketAddress::parse(peer.address); }

api::DownloadInfo only_download(SimPeer& peer) {
  const auto all = peer.ask(api::ListDownloads{}).value();
  REQUIRE(all.size() == 1);
  return all[0];
}

/// `leech` knows every seed, and all of them offer the game.
bool meet(SimWorld& world, SimPeer& leech, std::initializer_list<SimPeer*> seeds) {
  SimPeer::Options options;
  for (SimPeer* seed : seeds) {
    make_dated_game(seed->disk, "/library/game", 12'000'000);
    seed->start({});
    options.peers.push_back(seed->address);
  }
  leech.start(options);
  return sees(world, leech, seeds.size());
}

bool received(SimWorld& world, SimPeer& leech, std::uint64_t bytes) {
  return world.run_until([&] { return only_download(leech).bytes_received >= bytes; }, 1min);
}

}  // namespace

TEST_CASE("two seeds, one dies in the middle: the result is the same") {
  SimWorld world(41);
  world.network.set_conditions(slow_link());
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&one, &two}));
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(received(world, leech, 3'000'000));
  one.crash(1);
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  CHECK(leech.disk.tree("/library/game") == two.disk.tree("/library/game"));
  CHECK(leech.disk.read("/library/game/big.pak") == two.disk.read("/library/game/big.pak"));
  CHECK(only_download(leech).sources.size() == 2);
}

TEST_CASE("two seeds, one sends wrong data: it is no longer used, and the result is the same") {
  SimWorld world(42);
  world.network.set_conditions(slow_link());
  SimPeer liar(world, "liar", "10.0.0.1");
  SimPeer honest(world, "honest", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&liar, &honest}));
  for (std::uint64_t at = 0; at < 12'000'000; at += 100'000) liar.disk.corrupt("/library/game/big.pak", at, "lies");
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
  CHECK(leech.count("DownloadGameFilesFinished") == 1);
  CHECK(leech.disk.read("/library/game/big.pak") == honest.disk.read("/library/game/big.pak"));
  const auto info = only_download(leech);
  // The liar sent at most what was in flight when the first wrong chunk was found.
  for (const auto& source : info.sources) {
    if (source.id == liar.id()) CHECK(source.bytes < 9'000'000);
  }
}

TEST_CASE("a lone seed whose disk has changed withdraws its offer: all peers are gone, and nothing is published") {
  SimWorld world(43);
  SimPeer liar(world, "liar", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&liar}));
  liar.disk.corrupt("/library/game/big.pak", 5'000'000, "lies");
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
  CHECK(leech.count("DownloadGameFilesAllPeersGone") == 1);
  CHECK_FALSE(leech.disk.exists("/library/game"));
  CHECK(leech.count("PeerBanned") == 0);
  const auto info = only_download(leech);
  REQUIRE(info.error.has_value());
  CHECK(info.error->message.find("no longer used") == std::string::npos);
}

TEST_CASE("AllPeersGone is reported once, and no other end, after a goodbye and after a death without one") {
  for (const bool politely : {true, false}) {
    SimWorld world(44);
    world.network.set_conditions(slow_link());
    SimPeer seed(world, "seed", "10.0.0.1");
    SimPeer leech(world, "leech", "10.0.0.3");
    REQUIRE(meet(world, leech, {&seed}));
    REQUIRE(leech.ask(download_of("game")).has_value());
    REQUIRE(received(world, leech, 2'000'000));
    const auto before = world.executor.now();
    if (politely) {
      seed.request_shutdown();
    } else {
      world.network.cut(host(seed));
    }
    REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
    CHECK(world.executor.now() - before < (politely ? runtime::Duration(3s) : runtime::Duration(32s)));
    world.executor.advance(10s);
    CHECK(terminal_events(leech) == 1);
    CHECK(leech.count("DownloadGameFilesAllPeersGone") == 1);
    CHECK(leech.count(politely ? "PeerGoodbye" : "PeerLost") == 1);
    CHECK(leech.ask(api::GetStatus{})->downloads == 0);
    CHECK(only_download(leech).state == api::DownloadState::peers_gone);
  }
}

TEST_CASE("with a wait, the loss of all peers ends the download only when the wait expires") {
  SimWorld world(45);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&seed}));
  api::StartDownload start = download_of("game");
  start.wait = 2min;
  REQUIRE(leech.ask(start).has_value());
  REQUIRE(received(world, leech, 2'000'000));
  seed.crash(3);
  SECTION("it comes back") {
    world.executor.advance(50s);
    CHECK(terminal_events(leech) == 0);
    seed.start({});
    REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
    CHECK(leech.count("DownloadGameFilesFinished") == 1);
  }
  SECTION("it does not") {
    world.executor.advance(100s);
    CHECK(terminal_events(leech) == 0);
    REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 30s));
    CHECK(leech.count("DownloadGameFilesAllPeersGone") == 1);
  }
}

TEST_CASE("a download may wait for a game that no peer has: it starts as soon as that version appears") {
  SimWorld world(46);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  leech.start(knowing(seed.address));
  CHECK(leech.ask(download_of("game")).error().code == ErrorCode::not_found);
  api::StartDownload start = download_of("game");
  start.wait = 1min;
  SECTION("it comes") {
    REQUIRE(leech.ask(start)->state == api::DownloadState::queued);
    world.executor.advance(20s);
    make_small_game(seed.disk, "/library/game", 100'000);
    seed.start({});
    REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 1min));
    CHECK(leech.count("DownloadGameFilesFinished") == 1);
  }
  SECTION("another version comes") {
    start.version = "0123456789abcdef";
    REQUIRE(leech.ask(start)->state == api::DownloadState::queued);
    make_small_game(seed.disk, "/library/game", 100'000);
    seed.start({});
    world.executor.advance(50s);
    CHECK(only_download(leech).state == api::DownloadState::queued);
    world.executor.advance(20s);
    CHECK(only_download(leech).state == api::DownloadState::failed);
    CHECK(only_download(leech).error->code == ErrorCode::unavailable);
    CHECK(leech.count("DownloadGameFilesBegin") == 0);
  }
  SECTION("cancelled before it appears") {
    REQUIRE(leech.ask(start).has_value());
    api::CancelDownload cancel;
    cancel.game = "game";
    REQUIRE(leech.ask(cancel).has_value());
    world.executor.advance(1s);
    CHECK(only_download(leech).state == api::DownloadState::cancelled);
    CHECK(terminal_events(leech) == 0);
    CHECK(leech.ask(start).has_value());  // and it can be requested again
  }
}

TEST_CASE("a download that waits for a peer does not hold up those behind it") {
  SimWorld world(47);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&seed}));
  api::StartDownload waiting = download_of("elsewhere");
  waiting.wait = 1h;
  REQUIRE(leech.ask(waiting).has_value());
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
}

TEST_CASE("downloads run in the order in which they were requested") {
  SimWorld world(48);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  for (const char* game : {"d", "c", "b", "a"}) make_small_game(seed.disk, std::string("/library/") + game, 2'000'000);
  seed.start({});
  SimPeer::Options options = knowing(seed.address);
  options.parallel = 1;
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == 4; }, 10s));
  for (const char* game : {"c", "b", "d", "a"}) REQUIRE(leech.ask(download_of(game)).has_value());
  api::CancelDownload cancel;
  cancel.game = "b";
  REQUIRE(leech.ask(cancel).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 3; }, 1min));
  CHECK(terminal_events(leech) == 3);  // "b" had not begun
  std::string order;
  for (const std::string& line : world.trace) {
    const auto at = line.find(" leech DownloadGameFilesBegin ");
    if (at != std::string::npos) order += line[at + 30];
  }
  CHECK(order == "cda");
}

TEST_CASE("no more downloads run at once than are allowed, even if several slots become free together") {
  SimWorld world(51);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  const std::vector<std::string> games = {"a", "b", "c", "d", "e", "f", "g"};
  for (const std::string& game : games) make_small_game(seed.disk, "/library/" + game, 1'000'000);
  seed.start({});
  SimPeer::Options options = knowing(seed.address);
  options.parallel = 2;
  leech.start(options);
  REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == games.size(); }, 10s));
  for (const std::string& game : games) REQUIRE(leech.ask(download_of(game)).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == games.size(); }, 1min));
  int running = 0;
  for (const std::string& line : world.trace) {
    if (line.find(" leech DownloadGameFilesBegin ") != std::string::npos) ++running;
    if (line.find(" leech DownloadGameFilesFinished ") != std::string::npos) --running;
    CHECK(running <= 2);
  }
}

TEST_CASE("a cancelled download ends once, leaves nothing, and can be started again") {
  SimWorld world(49);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&seed}));
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(received(world, leech, 5'000'000));
  api::CancelDownload cancel;
  cancel.game = "game";
  REQUIRE(leech.ask(cancel).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesCancelled") == 1; }, 100ms));
  CHECK(leech.logged(LogLevel::info, "download of game is cancelled") == 1);
  CHECK_FALSE(leech.ask(cancel).has_value());
  world.executor.advance(1s);
  CHECK(terminal_events(leech) == 1);
  CHECK(leech.ask(api::GetStatus{})->downloads == 0);
  CHECK_FALSE(leech.disk.exists("/library/.peerd/staging/game"));
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
  CHECK(leech.disk.read("/library/game/big.pak") == seed.disk.read("/library/game/big.pak"));
}

TEST_CASE("a download that a stop or power cut interrupts reports no end, and continues at the next start") {
  for (const bool politely : {true, false}) {
    SimWorld world(50);
    world.network.set_conditions(slow_link());
    SimPeer seed(world, "seed", "10.0.0.1");
    SimPeer leech(world, "leech", "10.0.0.3");
    REQUIRE(meet(world, leech, {&seed}));
    REQUIRE(leech.ask(download_of("game")).has_value());
    REQUIRE(received(world, leech, 5'000'000));
    if (politely) {
      leech.stop();
      CHECK(leech.exit().overran.empty());
      CHECK(terminal_events(leech) == 0);
      CHECK(seed.count("PeerGoodbye") == 1);
    } else {
      leech.crash(9);
    }
    CHECK_FALSE(leech.disk.exists("/library/game"));
    world.network.cut(host(seed));
    leech.start(knowing(seed.address));
    world.executor.advance(30s);
    CHECK(only_download(leech).state == api::DownloadState::queued);
    CHECK(terminal_events(leech) == 0);
    const auto begun = leech.count("DownloadGameFilesBegin");
    world.network.restore(host(seed));
    REQUIRE(world.run_until([&] { return terminal_events(leech) > 0; }, 2min));
    CHECK(leech.count("DownloadGameFilesFinished") == 1);
    CHECK(leech.count("DownloadGameFilesBegin") == begun + 1);
    CHECK(leech.disk.read("/library/game/big.pak") == seed.disk.read("/library/game/big.pak"));
    // It is no longer listed.
    leech.stop();
    leech.start(knowing(seed.address));
    world.executor.advance(10s);
    CHECK(leech.ask(api::ListDownloads{})->empty());
  }
}

TEST_CASE("a download with --from uses only the named peers") {
  SimWorld world(51);
  SimPeer one(world, "one", "10.0.0.1");
  SimPeer two(world, "two", "10.0.0.2");
  SimPeer leech(world, "leech", "10.0.0.3");
  REQUIRE(meet(world, leech, {&one, &two}));
  api::StartDownload start = download_of("game");
  start.from = {"nobody"};
  CHECK_FALSE(leech.ask(start).has_value());
  start.from = {"two"};
  REQUIRE(leech.ask(start).has_value());
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
  const auto info = only_download(leech);
  REQUIRE(info.sources.size() == 1);
  CHECK(info.sources[0].id == two.id());
}

TEST_CASE("a game that is here but not scanned yet is neither fetched again nor replaced by an older version") {
  for (const bool same : {true, false}) {
    SimWorld world(52);
    SimPeer seed(world, "seed", "10.0.0.1");
    SimPeer leech(world, "leech", "10.0.0.3");
    for (SimPeer* peer : {&seed, &leech}) {
      peer->disk.write("/library/game/file", same ? "content" : "content of " + peer->name);
      peer->disk.set_mtime("/library/game/file", peer == &seed ? 1'700'000'000'000'000'000 : 1'700'000'001'000'000'000);
    }
    seed.start({});
    SimPeer::Options options = knowing(seed.address);
    options.settle = 20s;  // so the leech's own game is not offered for a while
    leech.start(options);
    REQUIRE(world.run_until([&] { return leech.count("GamesUpdated") == 1; }, 10s));
    REQUIRE(leech.ask(download_of("game")).has_value());
    world.executor.advance(30s);
    CHECK(leech.count("DownloadGameFilesBegin") == 0);
    CHECK(only_download(leech).state == api::DownloadState::finished);
    CHECK_FALSE(leech.disk.exists("/library/.peerd/replaced/game"));
    CHECK(leech.disk.read("/library/game/file") == (same ? "content" : "content of leech"));
  }
}
