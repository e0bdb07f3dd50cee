// A disk error pauses only the download that encountered it.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using api::DownloadState;

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;

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

/// Many files, so that the disk can become full between two of them.
void make_many(MemoryDisk& disk, const std::string& path) {
  for (int i = 0; i < 12; ++i) disk.write(path + "/part" + std::to_string(i), content(i + path.size(), 500'000));
}

struct Scene {
  explicit Scene(std::uint64_t number, const std::vector<std::string>& games = {"game"}) : world(number) {
    world.network.set_conditions(slow_link());
    for (const std::string& game : games) make_many(seed.disk, "/library/" + game);
    seed.start({});
    leech.start(knowing(seed.address));
    REQUIRE(world.run_until([&] { return leech.ask(api::ListGames{})->size() == games.size(); }, 10s));
  }
  bool reaches(DownloadState state, runtime::Duration limit = 1min) {
    return world.run_until([&] { return download(leech, "game").state == state; }, limit);
  }
  bool received(std::uint64_t bytes) {
    return world.run_until([&] { return download(leech, "game").bytes_received >= bytes; }, 1min);
  }
  void fail_writes(int error) {
    leech.disk.on_call([error](std::string_view operation, const std::string& path, std::uint64_t) {
      return operation == "write_at" && path.contains("/staging/game/tree/") ? error : 0;
    });
  }
  bool finished(runtime::Duration limit = 2min) {
    const bool done = world.run_until([&] { return terminal_events(leech) > 0; }, limit);
    return done && leech.count("DownloadGameFilesFinished") == 1 && terminal_events(leech) == 1 &&
           leech.disk.tree("/library/game") == seed.disk.tree("/library/game");
  }

  SimWorld world;
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer leech{world, "leech", "10.0.0.3"};
};

}  // namespace

TEST_CASE("trouble: after any disk error in the middle the download pauses, reports it, and continues by itself") {
  for (const int error : {ENOSPC, EIO, EROFS, EACCES, EMFILE}) {
    INFO("error " << error);
    Scene scene(static_cast<std::uint64_t>(100 + error));
    REQUIRE(scene.leech.ask(download_of("game")).has_value());
    REQUIRE(scene.received(2'000'000));
    scene.fail_writes(error);
    REQUIRE(scene.reaches(DownloadState::paused));
    const auto paused = download(scene.leech, "game");
    REQUIRE(paused.error.has_value());
    CHECK(paused.error->code == (error == ENOSPC ? ErrorCode::no_space : ErrorCode::disk_error));
    CHECK(paused.error->message.contains("/staging/game/tree/part"));
    CHECK(paused.bytes_total == 6'000'000);
    CHECK(paused.bytes_done >= 1'000'000);
    // It stays paused as long as the cause lasts.
    scene.world.executor.advance(3min);
    CHECK(download(scene.leech, "game").state == DownloadState::paused);
    CHECK(terminal_events(scene.leech) == 0);
    scene.leech.disk.on_call({});
    REQUIRE(scene.finished());
    CHECK_FALSE(download(scene.leech, "game").error.has_value());
  }
}

TEST_CASE("trouble: a disk that another program has filled") {
  Scene scene(201, {"game", "other"});
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  REQUIRE(scene.received(2'000'000));
  scene.leech.disk.set_capacity(3'000'000);
  REQUIRE(scene.reaches(DownloadState::paused));
  CHECK(download(scene.leech, "game").error->code == ErrorCode::no_space);
  SECTION("other downloads continue, and this one does when there is room") {
    const auto refused = scene.leech.ask(download_of("other"));  // begins, and is refused before a byte
    REQUIRE(refused.has_value());
    REQUIRE(scene.world.run_until([&] { return download(scene.leech, "other").state == DownloadState::failed; }, 1min));
    CHECK(download(scene.leech, "other").error->code == ErrorCode::no_space);
    CHECK(download(scene.leech, "other").error->message.contains("needs 6 MB more"));
    CHECK_FALSE(scene.leech.disk.exists("/library/.peerd/staging/other"));
    CHECK(scene.leech.ask(api::GetStatus{}).has_value());
    // A little room is not enough for an attempt.
    scene.leech.disk.set_capacity(4'000'000);
    const std::uint64_t before = download(scene.leech, "game").bytes_received;
    scene.world.executor.advance(2min);
    CHECK(download(scene.leech, "game").bytes_received == before);
    CHECK(download(scene.leech, "game").error->message.contains("free some space"));
    scene.leech.disk.set_capacity(kPlenty);
    REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 1; }, 1min));
    CHECK(scene.leech.disk.tree("/library/game") == scene.seed.disk.tree("/library/game"));
  }
  SECTION("pause and resume try it at once") {
    CHECK(command<api::PauseDownload>(scene.leech, "game")->state == DownloadState::paused);
    scene.leech.disk.set_capacity(kPlenty);
    scene.world.executor.advance(2min);
    CHECK(terminal_events(scene.leech) == 0);
    REQUIRE(command<api::ResumeDownload>(scene.leech, "game").has_value());
    REQUIRE(scene.finished(10s));
  }
  SECTION("resume alone tries it at once") {
    scene.world.executor.advance(2min);  // the pauses have grown
    scene.leech.disk.set_capacity(kPlenty);
    REQUIRE(command<api::ResumeDownload>(scene.leech, "game").has_value());
    REQUIRE(scene.finished(5s));
  }
  SECTION("cancel ends it") {
    REQUIRE(command<api::CancelDownload>(scene.leech, "game").has_value());
    CHECK(scene.leech.count("DownloadGameFilesCancelled") == 1);
    CHECK_FALSE(scene.leech.disk.exists("/library/.peerd/staging/game"));
  }
  SECTION("a restart") {
    scene.leech.stop();
    scene.leech.start(knowing(scene.seed.address));
    REQUIRE(scene.world.run_until([&] { return !scene.leech.ask(api::ListDownloads{})->empty(); }, 10s));
    REQUIRE(scene.reaches(DownloadState::paused));
    CHECK(download(scene.leech, "game").error->code == ErrorCode::no_space);
    scene.leech.disk.set_capacity(kPlenty);
    REQUIRE(scene.finished());
  }
}

TEST_CASE("trouble: an error that waiting cannot fix ends the download") {
  Scene scene(202);
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  REQUIRE(scene.received(1'000'000));
  scene.fail_writes(EFBIG);
  REQUIRE(scene.world.run_until([&] { return terminal_events(scene.leech) == 1; }, 1min));
  CHECK(scene.leech.count("DownloadGameFilesFailed") == 1);
  CHECK(download(scene.leech, "game").error->code == ErrorCode::disk_error);
}

TEST_CASE("trouble: a missing library root is not created again: the download waits for it") {
  SimWorld world(148);
  world.network.set_conditions(slow_link());
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  make_small_game(seed.disk, "/library/game", 1'000'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(sees(world, leech, 1));
  leech.disk.remove("/library");
  REQUIRE(leech.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return download(leech, "game").state == DownloadState::paused; }, 1min));
  CHECK(download(leech, "game").error->message.contains("/library"));
  world.executor.advance(5min);
  CHECK_FALSE(leech.disk.exists("/library"));
  CHECK(terminal_events(leech) == 0);
  leech.disk.make_directories("/library");
  REQUIRE(world.run_until([&] { return leech.count("DownloadGameFilesFinished") == 1; }, 2min));
}
