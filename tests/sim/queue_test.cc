// The commands of the queue, and remove.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using api::DownloadState;

namespace {

template <class C>
auto command(SimPeer& peer, const std::string& game) {
  C each;
  each.game = game;
  return peer.ask(each);
}

api::DownloadInfo download(SimPeer& peer, const std::string& game) {
  for (const auto& each : peer.ask(api::ListDownloads{}).value()) {
    if (each.game == game) return each;
  }
  FAIL("no download of " << game);
  return {};
}

/// The downloads under way, from first to last.
std::string order(SimPeer& peer) {
  std::string games;
  for (const auto& each : peer.ask(api::ListDownloads{}).value()) {
    if (each.state == DownloadState::queued || each.state == DownloadState::downloading ||
        each.state == DownloadState::paused)
      games += each.game;
  }
  return games;
}

bool received(SimWorld& world, SimPeer& peer, const std::string& game, std::uint64_t bytes) {
  return world.run_until([&] { return download(peer, game).bytes_received >= bytes; }, 1min);
}

/// A seed with games on a slow network, and a leech that sees them.
struct Scene {
  explicit Scene(std::uint64_t seed_number, const std::vector<std::string>& games, std::size_t parallel = 3,
                 std::size_t size = 6'000'000)
      : world(seed_number), seed(world, "seed", "10.0.0.1"), leech(world, "leech", "10.0.0.3") {
    world.network.set_conditions(slow_link());
    for (const std::string& game : games) make_small_game(seed.disk, "/library/" + game, size);
    seed.start({});
    options = knowing(seed.address);
    options.parallel = parallel;
    leech.start(options);
    REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == games.size(); }, 10s));
  }
  void restart() {
    leech.stop();
    leech.start(options);
  }

  SimWorld world;
  SimPeer seed;
  SimPeer leech;
  SimPeer::Options options;
};

}  // namespace

TEST_CASE("queue: a paused download keeps its data, gives up its turn and continues where it was") {
  Scene scene(61, {"a", "b"}, 1);
  SimPeer& leech = scene.leech;
  REQUIRE(leech.ask(download_of("a")).has_value());
  REQUIRE(leech.ask(download_of("b")).has_value());
  REQUIRE(received(scene.world, leech, "a", 2'000'000));
  CHECK(download(leech, "b").state == DownloadState::queued);
  const auto paused = command<api::PauseDownload>(leech, "a");
  REQUIRE(paused.has_value());
  CHECK(paused->state == DownloadState::paused);
  CHECK(command<api::PauseDownload>(leech, "a")->state == DownloadState::paused);
  const std::uint64_t at = download(leech, "a").bytes_received;
  CHECK(at >= 2'000'000);
  CHECK(at < 6'000'000);
  CHECK(order(leech) == "ab");
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
  CHECK(leech.disk.exists("/library/b"));
  scene.world.executor.advance(1min);
  CHECK(download(leech, "a").state == DownloadState::paused);
  CHECK(download(leech, "a").bytes_received == at);
  CHECK(leech.ask(api::GetStatus{})->downloads == 1);

  REQUIRE(command<api::ResumeDownload>(leech, "a")->state != DownloadState::paused);
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 2; }, 1min));
  const auto done = download(leech, "a");
  CHECK(done.bytes_done == done.bytes_total);
  // Only what was in flight is received twice.
  CHECK(done.bytes_received < done.bytes_total + 4'500'000);
  REQUIRE(done.sources.size() == 1);
  CHECK(done.sources[0].bytes == done.bytes_received);
  CHECK(leech.count("DownloadGameFilesBegin") == 2);
  CHECK(terminal_events(leech) == 2);
  CHECK(leech.disk.read("/library/a/big.pak") == scene.seed.disk.read("/library/a/big.pak"));
  CHECK_FALSE(command<api::PauseDownload>(leech, "a").has_value());
  CHECK_FALSE(command<api::ResumeDownload>(leech, "a").has_value());
}

TEST_CASE("queue: pauses, order and received bytes survive a restart and a power cut") {
  for (const bool politely : {true, false}) {
    Scene scene(62, {"a", "b", "c"}, 1);
    SimPeer& leech = scene.leech;
    for (const char* game : {"a", "b", "c"}) REQUIRE(leech.ask(download_of(game)).has_value());
    REQUIRE(received(scene.world, leech, "a", 2'000'000));
    REQUIRE(command<api::PauseDownload>(leech, "a").has_value());
    REQUIRE(command<api::PauseDownload>(leech, "b").has_value());
    REQUIRE(command<api::PauseDownload>(leech, "c").has_value());
    api::MoveDownload move;
    move.game = "c";
    REQUIRE(leech.ask(move).has_value());
    CHECK(order(leech) == "cab");
    const std::uint64_t at = download(leech, "a").bytes_received;
    if (politely) {
      leech.stop();
    } else {
      leech.crash(3);
    }
    leech.start(scene.options);
    scene.world.executor.advance(30s);
    CHECK(order(leech) == "cab");
    for (const char* game : {"a", "b", "c"}) CHECK(download(leech, game).state == DownloadState::paused);
    CHECK(download(leech, "a").bytes_received == at);
    REQUIRE(command<api::ResumeDownload>(leech, "a").has_value());
    REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
    CHECK(download(leech, "a").bytes_received >= download(leech, "a").bytes_total);
    CHECK(download(leech, "a").sources.at(0).bytes < 6'000'000);
  }
}

TEST_CASE("queue: the received bytes are kept across crashes, including bytes that were received twice") {
  Scene scene(63, {"a"}, 3, 30'000'000);
  SimPeer& leech = scene.leech;
  REQUIRE(leech.ask(download_of("a")).has_value());
  std::uint64_t before = 0;
  for (std::uint64_t crash = 1; crash <= 3; ++crash) {
    REQUIRE(received(scene.world, leech, "a", before + 1'000'000));
    scene.world.executor.advance(1s);
    before = download(leech, "a").bytes_received;
    leech.crash(crash);
    leech.start(scene.options);
    REQUIRE(scene.world.run_until([&] { return !leech.ask(api::ListDownloads{})->empty(); }, 10s));
    // At most one second of it is forgotten.
    CHECK(download(leech, "a").bytes_received + 5'000'000 > before);
  }
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 1min));
  CHECK(download(leech, "a").bytes_received >= 30'000'000);
}

TEST_CASE("queue: time and bytes are counted over the same periods, across restarts, crashes and lost peers") {
  const int how = GENERATE(0, 1, 2, 3);
  CAPTURE(how);
  Scene scene(69, {"a"}, 3, 30'000'000);
  SimPeer& leech = scene.leech;
  const auto begin = scene.world.executor.now();
  REQUIRE(leech.ask(download_of("a")).has_value());
  REQUIRE(received(scene.world, leech, "a", 8'000'000));
  scene.world.executor.advance(1500ms);
  const api::DownloadInfo before = download(leech, "a");
  CHECK(before.elapsed_s > 1.4);
  CHECK(before.bytes_timed == before.bytes_received);
  runtime::Duration away{};
  if (how == 0) {
    leech.stop();
    scene.world.executor.advance(1min);  // not active: it does not count
    away = 1min;
    leech.start(scene.options);
  } else if (how == 1) {
    leech.crash(5);
    leech.start(scene.options);
  } else if (how == 2) {
    REQUIRE(command<api::PauseDownload>(leech, "a").has_value());
    scene.restart();
    REQUIRE(scene.world.run_until([&] { return !leech.ask(api::ListDownloads{})->empty(); }, 10s));
    REQUIRE(command<api::ResumeDownload>(leech, "a").has_value());
  } else {
    scene.seed.stop();
    REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesAllPeersGone") == 1; }, 1min));
    scene.seed.start({});
    REQUIRE(scene.world.run_until([&] { return !leech.ask(api::ListGames{})->empty(); }, 1min));
    REQUIRE(leech.ask(download_of("a")).has_value());
  }
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 5min));
  const api::DownloadInfo done = download(leech, "a");
  const double most = std::chrono::duration<double>(scene.world.executor.now() - begin - away).count();
  CHECK(done.bytes_received >= 30'000'000);
  CHECK(done.elapsed_s <= most);
  // A crash may lose a second of both and nothing else, so that their quotient is the network's rate.
  CHECK(done.elapsed_s >= before.elapsed_s - 1.1);
  CHECK(done.bytes_timed + 5'000'000 >= done.bytes_received);
  const double rate_before = static_cast<double>(before.bytes_timed) / before.elapsed_s;
  const double rate = static_cast<double>(done.bytes_timed) / done.elapsed_s;
  CHECK(rate < 1.3 * rate_before);
}

TEST_CASE("queue: the order decides which download runs next, and a running one is not interrupted") {
  Scene scene(64, {"a", "b", "c", "d"}, 1);
  SimPeer& leech = scene.leech;
  for (const char* game : {"a", "b", "c", "d"}) REQUIRE(leech.ask(download_of(game)).has_value());
  REQUIRE(received(scene.world, leech, "a", 100'000));
  api::MoveDownload move;
  move.game = "d";
  move.position = 1;
  REQUIRE(leech.ask(move).has_value());
  move.game = "b";
  move.position = 100;
  REQUIRE(leech.ask(move).has_value());
  CHECK(order(leech) == "dacb");
  move.position = 0;
  CHECK_FALSE(leech.ask(move).has_value());
  move.game = "nothing";
  move.position = 1;
  CHECK(leech.ask(move).error().code == ErrorCode::not_found);
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 4; }, 1min));
  std::string begun;
  for (const std::string& line : scene.world.trace) {
    const auto at = line.find(" leech DownloadGameFilesBegin ");
    if (at != std::string::npos) begun += line[at + 30];
  }
  CHECK(begun == "adcb");
}

TEST_CASE("queue: a paused download can be cancelled, or continues when a peer is back") {
  Scene scene(65, {"a"});
  SimPeer& leech = scene.leech;
  REQUIRE(leech.ask(download_of("a")).has_value());
  REQUIRE(received(scene.world, leech, "a", 2'000'000));
  REQUIRE(command<api::PauseDownload>(leech, "a").has_value());
  SECTION("cancelled") {
    REQUIRE(command<api::CancelDownload>(leech, "a").has_value());
    CHECK(download(leech, "a").state == DownloadState::cancelled);
    CHECK(leech.count("DownloadGameFilesCancelled") == 1);
    CHECK_FALSE(leech.disk.exists("/library/.peerd/staging/a"));
    scene.world.executor.advance(1s);
    CHECK(leech.disk.tree("/library/.peerd/trash").empty());
    scene.restart();
    scene.world.executor.advance(10s);
    CHECK(leech.ask(api::ListDownloads{})->empty());
  }
  SECTION("resumed while no peer is there") {
    scene.seed.stop();
    REQUIRE(command<api::ResumeDownload>(leech, "a").has_value());
    scene.world.executor.advance(1min);
    CHECK(download(leech, "a").state == DownloadState::queued);
    CHECK(terminal_events(leech) == 0);
    scene.seed.start({});
    REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 2min));
  }
  SECTION("paused and resumed at once") {
    for (int i = 0; i < 5; ++i) {
      REQUIRE(command<api::ResumeDownload>(leech, "a").has_value());
      scene.world.executor.advance(std::chrono::milliseconds(i * 17));
      REQUIRE(command<api::PauseDownload>(leech, "a")->state == DownloadState::paused);
    }
    REQUIRE(command<api::ResumeDownload>(leech, "a").has_value());
    REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 2min));
    CHECK(leech.count("DownloadGameFilesBegin") == 1);
  }
}

TEST_CASE("remove: an installed game disappears at once, and all peers are notified") {
  Scene scene(66, {"a", "b"});
  SimPeer& leech = scene.leech;
  REQUIRE(leech.ask(download_of("a")).has_value());
  REQUIRE(leech.ask(download_of("b")).has_value());
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 2; }, 1min));
  const auto copies = [&] {
    const auto games = scene.seed.ask(api::ListGames{}).value();
    return std::ranges::count_if(games, [](const auto& game) { return !game.remote.empty(); });
  };
  REQUIRE(scene.world.run_until([&] { return copies() == 2; }, 10s));
  const auto changes = leech.count("LocalLibraryChanged");
  REQUIRE(command<api::RemoveGame>(leech, "a").has_value());
  CHECK_FALSE(leech.disk.exists("/library/a"));
  for (const auto& game : leech.ask(api::ListGames{}).value()) CHECK((game.local == nullptr) == (game.id == "a"));
  REQUIRE(scene.world.run_until([&] { return copies() == 1; }, 10s));
  CHECK(leech.count("LocalLibraryChanged") > changes);
  scene.world.executor.advance(1s);
  CHECK(leech.disk.tree("/library/.peerd/trash").empty());
  CHECK(command<api::RemoveGame>(leech, "a").error().code == ErrorCode::not_found);
  CHECK(command<api::RemoveGame>(leech, "../b").error().code == ErrorCode::invalid);
  CHECK(leech.disk.exists("/library/b/big.pak"));
  // It can be downloaded again.
  REQUIRE(leech.ask(download_of("a")).has_value());
  REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 3; }, 1min));
}

TEST_CASE("remove: a partial download is removed, whether it is under way, paused or given up") {
  for (const std::string how : {"under way", "paused", "given up"}) {
    Scene scene(67, {"a"});
    SimPeer& leech = scene.leech;
    REQUIRE(leech.ask(download_of("a")).has_value());
    REQUIRE(received(scene.world, leech, "a", 2'000'000));
    if (how == "paused") REQUIRE(command<api::PauseDownload>(leech, "a").has_value());
    if (how == "given up") {
      scene.seed.stop();
      REQUIRE(scene.world.run_until([&] { return leech.count("DownloadGameFilesAllPeersGone") == 1; }, 1min));
      REQUIRE(leech.disk.exists("/library/.peerd/staging/a"));
    }
    REQUIRE(command<api::RemoveGame>(leech, "a").has_value());
    CHECK(leech.ask(api::GetStatus{})->downloads == 0);
    CHECK_FALSE(leech.disk.exists("/library/.peerd/staging/a"));
    CHECK(terminal_events(leech) == 1);
  }
}

TEST_CASE("remove: a game in another root is left alone; the next start empties the trash that a crash left") {
  SimWorld world(68);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/elsewhere/theirs", 1000);
  make_small_game(peer.disk, "/library/.peerd/trash/7", 1000);
  SimPeer::Options options;
  options.roots = {"/library", "/elsewhere"};
  peer.start(options);
  REQUIRE(world.run_until([&] { return peer.ask(api::ListGames{})->size() == 1; }, 10s));
  const auto refused = command<api::RemoveGame>(peer, "theirs");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::refused);
  CHECK(refused.error().message.find("/elsewhere") != std::string::npos);
  CHECK(peer.disk.exists("/elsewhere/theirs/big.pak"));
  CHECK_FALSE(peer.disk.exists("/library/.peerd/trash/7"));
}
