// A second command for a download under way attaches to it and adds its own wait. A download that ended without the
// game can be resumed or given up.
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
auto command(SimPeer& peer, const std::string& game = "game") {
  C each;
  each.game = game;
  return peer.ask(each);
}

api::DownloadInfo download(SimPeer& peer, const std::string& game = "game") {
  for (const auto& each : peer.ask(api::ListDownloads{}).value()) {
    if (each.game == game) return each;
  }
  FAIL("no download of " << game);
  return {};
}

api::StartDownload with_wait(runtime::Duration wait) {
  api::StartDownload start = download_of("game");
  start.wait = wait;
  return start;
}

api::StartDownload from(std::vector<std::string> peers) {
  api::StartDownload start = download_of("game");
  start.from = std::move(peers);
  return start;
}

/// A seed on a slow network, and a leech that sees its game.
struct Scene {
  explicit Scene(std::uint64_t number, bool offered = true) : world(number) {
    world.network.set_conditions(slow_link());
    make_dated_game(seed.disk, "/library/game", 12'000'000);
    options = knowing(seed.address);
    options.peers.push_back("10.0.0.2:24747");
    if (offered) seed.start({});
    leech.start(options);
    if (offered) REQUIRE(sees(world, leech, 1));
  }
  bool received(std::uint64_t bytes) {
    return world.run_until([&] { return download(leech).bytes_received >= bytes; }, 1min);
  }
  /// The seed dies, and the leech has noticed.
  void lose_seed() {
    seed.crash(3);
    REQUIRE(world.run_until([&] { return leech.count("PeerLost") == 1; }, 1min));
  }
  /// Checks that the download ends within that time because all peers are gone.
  bool is_given_up(runtime::Duration earliest, runtime::Duration latest) {
    const auto given_up = [&] { return leech.count("DownloadGameFilesAllPeersGone") == 1; };
    world.executor.advance(earliest);
    if (earliest > 0s && given_up()) return false;
    return world.run_until(given_up, latest - earliest);
  }

  SimWorld world;
  SimPeer seed{world, "seed", "10.0.0.1"};
  SimPeer other{world, "other", "10.0.0.2"};
  SimPeer leech{world, "leech", "10.0.0.3"};
  SimPeer::Options options;
};

bool mentions(const Error& error, std::string_view text) { return error.message.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("attach: the wait of a command that attaches to a running download applies when the last peer leaves") {
  Scene scene(501);
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  REQUIRE(scene.received(2'000'000));
  REQUIRE(scene.leech.ask(with_wait(5min))->state == DownloadState::downloading);
  scene.lose_seed();
  scene.world.executor.advance(3min);
  CHECK(terminal_events(scene.leech) == 0);
  SECTION("the peer comes back") {
    scene.seed.start({});
    REQUIRE(scene.world.run_until([&] { return terminal_events(scene.leech) == 1; }, 2min));
    CHECK(scene.leech.count("DownloadGameFilesFinished") == 1);
    CHECK(scene.leech.count("DownloadGameFilesBegin") == 1);
  }
  SECTION("it does not") {
    CHECK(scene.is_given_up(0s, 2min));
    CHECK(download(scene.leech).state == DownloadState::peers_gone);
  }
}

TEST_CASE("attach: the longest wait of all commands applies") {
  Scene scene(502);
  REQUIRE(scene.leech.ask(with_wait(4min)).has_value());
  REQUIRE(scene.received(2'000'000));
  scene.lose_seed();  // takes 25 s or more
  SECTION("a shorter wait does not shorten it") {
    REQUIRE(scene.leech.ask(with_wait(1s)).has_value());
    REQUIRE(scene.leech.ask(download_of("game")).has_value());
    CHECK(scene.is_given_up(3min, 4min));
  }
  SECTION("a longer one lengthens it") {
    scene.world.executor.advance(2min);
    REQUIRE(scene.leech.ask(with_wait(10min)).has_value());
    CHECK(scene.is_given_up(9min, 11min));
  }
}

TEST_CASE("attach: an added wait survives a restart, and the time while peerd is down does not count") {
  for (const bool politely : {true, false}) {
    Scene scene(503);
    REQUIRE(scene.leech.ask(download_of("game")).has_value());
    REQUIRE(scene.received(2'000'000));
    REQUIRE(scene.leech.ask(with_wait(10min)).has_value());
    if (politely) {
      scene.leech.stop();
    } else {
      scene.leech.crash(5);
    }
    scene.leech.start(scene.options);
    REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesBegin") > (politely ? 1U : 0U); },
                                  1min));
    scene.lose_seed();
    CHECK(scene.is_given_up(8min, 11min));
  }
}

TEST_CASE("attach: a wait that expired before a restart does not end the download") {
  Scene scene(504);
  REQUIRE(scene.leech.ask(with_wait(1s)).has_value());
  REQUIRE(scene.received(6'000'000));
  scene.world.executor.advance(500ms);
  scene.leech.stop();
  scene.seed.stop();
  scene.leech.start(scene.options);
  scene.world.executor.advance(1min);
  CHECK(download(scene.leech).state == DownloadState::queued);
  scene.seed.start({});
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 1; }, 2min));
}

TEST_CASE("attach: a command can attach to a download that waits for its first peer, and extend its wait") {
  Scene scene(505, false);
  CHECK(scene.leech.ask(download_of("game")).error().code == ErrorCode::not_found);
  REQUIRE(scene.leech.ask(with_wait(1min)).has_value());
  scene.world.executor.advance(30s);
  CHECK(scene.leech.ask(download_of("game"))->state == DownloadState::queued);
  REQUIRE(scene.leech.ask(with_wait(5min)).has_value());
  scene.world.executor.advance(3min);
  CHECK(download(scene.leech).state == DownloadState::queued);
  scene.seed.start({});
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 1; }, 2min));
}

TEST_CASE("attach: the wait does not elapse during a pause, and the download stays paused") {
  Scene scene(506);
  REQUIRE(scene.leech.ask(with_wait(5min)).has_value());
  REQUIRE(scene.received(2'000'000));
  REQUIRE(command<api::PauseDownload>(scene.leech).has_value());
  scene.world.executor.advance(1h);
  SECTION("the rest of the wait applies after the pause") {
    scene.leech.stop();
    scene.world.executor.advance(1h);
    scene.leech.start(scene.options);
    REQUIRE(sees(scene.world, scene.leech, 1));
    scene.world.executor.advance(1h);
    CHECK(download(scene.leech).state == DownloadState::paused);
    REQUIRE(command<api::ResumeDownload>(scene.leech).has_value());
    REQUIRE(scene.world.run_until([&] { return download(scene.leech).state == DownloadState::downloading; }, 1min));
    scene.lose_seed();
    CHECK(scene.is_given_up(4min, 5min));
  }
  SECTION(
      "a command that attaches during the pause follows the download, and its wait starts at the end of the pause") {
    CHECK(scene.leech.ask(with_wait(20min))->state == DownloadState::paused);
    scene.world.executor.advance(1h);
    REQUIRE(command<api::ResumeDownload>(scene.leech).has_value());
    REQUIRE(scene.world.run_until([&] { return download(scene.leech).state == DownloadState::downloading; }, 1min));
    scene.lose_seed();
    CHECK(scene.is_given_up(18min, 21min));
  }
}

TEST_CASE("attach: a pause does not make a wait for the first peer endless") {
  Scene scene(507, false);
  REQUIRE(scene.leech.ask(with_wait(5min)).has_value());
  scene.world.executor.advance(1min);
  REQUIRE(command<api::PauseDownload>(scene.leech).has_value());
  scene.world.executor.advance(1h);
  REQUIRE(command<api::ResumeDownload>(scene.leech).has_value());
  scene.world.executor.advance(3min);
  CHECK(download(scene.leech).state == DownloadState::queued);
  scene.world.executor.advance(2min);
  CHECK(download(scene.leech).state == DownloadState::failed);
  CHECK(download(scene.leech).error->code == ErrorCode::unavailable);
}

TEST_CASE("attach: a command can attach to a queued download, which keeps the added wait until it runs") {
  Scene scene(508);
  make_dated_game(scene.seed.disk, "/library/first", 11'000'000);
  REQUIRE(scene.seed.ask(api::Rescan{"first"}).has_value());
  scene.leech.stop();
  scene.options.parallel = 1;
  scene.leech.start(scene.options);
  REQUIRE(scene.world.run_until([&] { return scene.leech.ask(api::ListGames{})->size() == 2; }, 10s));
  REQUIRE(scene.leech.ask(download_of("first")).has_value());
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  CHECK(scene.leech.ask(with_wait(10min))->state == DownloadState::queued);
  REQUIRE(scene.world.run_until([&] { return download(scene.leech, "first").state == DownloadState::finished; }, 1min));
  REQUIRE(scene.received(1'000'000));
  scene.lose_seed();
  CHECK(scene.is_given_up(8min, 11min));
}

TEST_CASE("attach: a user's wait applies to an automatic download") {
  Scene scene(509);
  scene.leech.stop();
  scene.options.automatic = {"*"};
  scene.leech.start(scene.options);
  REQUIRE(scene.world.run_until([&] { return !scene.leech.ask(api::ListDownloads{})->empty(); }, 1min));
  REQUIRE(scene.received(1'000'000));
  REQUIRE(scene.leech.ask(with_wait(10min)).has_value());
  scene.lose_seed();
  CHECK(scene.is_given_up(8min, 11min));
}

TEST_CASE("attach: --from with a peer that the download cannot use is refused with the reason") {
  Scene scene(510);
  scene.other.start({});
  REQUIRE(scene.world.run_until([&] { return scene.leech.ask(api::GetStatus{})->peers == 2; }, 30s));
  SECTION("the download is limited to others") {
    REQUIRE(scene.leech.ask(from({"seed"})).has_value());
    REQUIRE(scene.received(1'000'000));
    const auto refused = scene.leech.ask(from({"other"}));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(mentions(refused.error(), "\"other\" is none of the peers"));
    api::StartDownload both = from({"seed", "other"});
    both.wait = 1min;
    CHECK_FALSE(scene.leech.ask(both).has_value());
    const auto same = scene.leech.ask(from({"seed"}));
    REQUIRE(same.has_value());
    CHECK(same->from == std::vector<PeerId>{scene.seed.id()});
    CHECK(scene.leech.ask(from({"nobody"})).error().code == ErrorCode::invalid);
  }
  SECTION("it does not have the game: accepted only with a wait, because it may obtain the game") {
    REQUIRE(scene.leech.ask(download_of("game")).has_value());
    REQUIRE(scene.received(1'000'000));
    const auto refused = scene.leech.ask(from({"other"}));
    REQUIRE_FALSE(refused.has_value());
    CHECK(mentions(refused.error(), "\"other\" does not have it"));
    api::StartDownload waiting = from({"other"});
    waiting.wait = 1min;
    CHECK(scene.leech.ask(waiting).has_value());
    const auto open = scene.leech.ask(from({"seed"}));
    REQUIRE(open.has_value());
    CHECK(open->from.empty());
  }
  SECTION("it has another version") {
    REQUIRE(scene.leech.ask(download_of("game")).has_value());
    REQUIRE(scene.received(1'000'000));
    make_dated_game(scene.other.disk, "/library/game", 11'000'000);
    REQUIRE(scene.other.ask(api::Rescan{"game"}).has_value());
    REQUIRE(scene.world.run_until([&] { return scene.leech.ask(api::ListGames{})->at(0).remote.size() == 2; }, 10s));
    api::StartDownload waiting = from({"other"});
    waiting.wait = 1h;
    const auto refused = scene.leech.ask(waiting);
    REQUIRE_FALSE(refused.has_value());
    CHECK(mentions(refused.error(), "\"other\" has another version"));
    // A refused command adds no wait.
    scene.other.stop();
    scene.lose_seed();
    CHECK(scene.is_given_up(0s, 1min));
  }
}

TEST_CASE("attach: a peer that has left still counts as one that the download was started with") {
  Scene scene(511);
  REQUIRE(scene.leech.ask(from({"seed"})).has_value());
  REQUIRE(scene.received(1'000'000));
  api::StartDownload waiting = from({"seed"});
  waiting.wait = 5min;
  REQUIRE(scene.leech.ask(waiting).has_value());
  scene.seed.stop();
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("PeerGoodbye") == 1; }, 10s));
  REQUIRE(scene.leech.ask(api::GetStatus{})->peers == 0);
  CHECK(scene.leech.ask(waiting).has_value());
  CHECK(scene.leech.ask(from({"seed"})).has_value());
  CHECK(scene.leech.ask(from({scene.seed.id().hex().substr(0, 12)})).has_value());
}

TEST_CASE("attach: another version is refused, whether or not the download's version is known yet") {
  SECTION("known") {
    Scene scene(512);
    REQUIRE(scene.leech.ask(download_of("game")).has_value());
    const std::string version = download(scene.leech).version.hex();
    api::StartDownload same = with_wait(1min);
    same.version = version.substr(0, 12);
    CHECK(scene.leech.ask(same).has_value());
    same.version = version[0] == '0' ? "1234567890" : "0123456789";
    const auto refused = scene.leech.ask(same);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(mentions(refused.error(), "\"" + *same.version + "\""));
    CHECK(mentions(refused.error(), version.substr(0, 12)));
  }
  SECTION("not known yet") {
    Scene scene(513, false);
    api::StartDownload start = with_wait(10min);
    start.version = "0123456789abcdef";
    REQUIRE(scene.leech.ask(start).has_value());
    CHECK(scene.leech.ask(download_of("game")).has_value());
    start.version = "0123456789";
    CHECK(scene.leech.ask(start).has_value());
    for (const char* version : {"0123456789abcdef01", "fedcba9876543210"}) {
      start.version = version;
      CHECK(scene.leech.ask(start).error().code == ErrorCode::busy);
    }
    REQUIRE(command<api::CancelDownload>(scene.leech).has_value());
    REQUIRE(scene.leech.ask(with_wait(10min)).has_value());  // any version
    CHECK(scene.leech.ask(start).error().code == ErrorCode::busy);
  }
}

TEST_CASE("resume: a download that lost its peers continues with its data and the same version") {
  const bool limited = GENERATE(true, false);
  Scene scene(521);
  REQUIRE(scene.leech.ask(limited ? from({"seed"}) : download_of("game")).has_value());
  REQUIRE(scene.received(6'000'000));
  const auto version = download(scene.leech).version;
  scene.lose_seed();
  REQUIRE(scene.is_given_up(0s, 1min));
  const auto lost = download(scene.leech);
  // Another version appears, newer than the one that is partly downloaded.
  make_small_game(scene.other.disk, "/library/game", 11'000'000);
  scene.other.start({});
  REQUIRE(scene.world.run_until([&] { return scene.leech.ask(api::GetStatus{})->peers == 1; }, 30s));

  const auto resumed = command<api::ResumeDownload>(scene.leech);
  REQUIRE(resumed.has_value());
  CHECK(resumed->state == DownloadState::queued);
  CHECK(resumed->bytes_done == lost.bytes_done);
  CHECK(resumed->bytes_received == lost.bytes_received);
  if (limited) {
    CHECK(resumed->from == std::vector<PeerId>{scene.seed.id()});
  } else {
    CHECK(resumed->from.empty());
  }
  CHECK(scene.leech.ask(api::GetStatus{})->downloads == 1);
  // It waits for a peer without a limit, also after a restart.
  scene.world.executor.advance(10min);
  CHECK(download(scene.leech).state == DownloadState::queued);
  const bool restarted = GENERATE(false, true);
  if (restarted) {
    scene.leech.stop();
    scene.leech.start(scene.options);
    scene.world.executor.advance(1min);
    CHECK(download(scene.leech).state == DownloadState::queued);
  }
  scene.seed.start({});
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 1; }, 2min));
  const auto done = download(scene.leech);
  CHECK(done.version == version);
  CHECK(done.bytes_received < done.bytes_total + 4'500'000);
  CHECK(scene.leech.count("DownloadGameFilesBegin") == 2);
  CHECK(terminal_events(scene.leech) == 2);
  CHECK(scene.leech.disk.read("/library/game/big.pak") == scene.seed.disk.read("/library/game/big.pak"));
}

TEST_CASE("resume: a failed download starts again") {
  Scene scene(522, false);
  REQUIRE(scene.leech.ask(with_wait(10s)).has_value());
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFailed") == 1; }, 1min));
  REQUIRE(command<api::ResumeDownload>(scene.leech)->state == DownloadState::queued);
  scene.world.executor.advance(1h);
  CHECK(download(scene.leech).state == DownloadState::queued);
  CHECK(terminal_events(scene.leech) == 1);
  scene.seed.start({});
  REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 1; }, 2min));
}

TEST_CASE("commands for a download that has ended are refused with its outcome and the command to use") {
  Scene scene(523);
  api::MoveDownload move;
  move.game = "game";
  const auto refusals = [&] {
    std::vector<Error> errors;
    const auto keep = [&](const auto& result) {
      REQUIRE_FALSE(result.has_value());
      errors.push_back(result.error());
    };
    keep(command<api::PauseDownload>(scene.leech));
    keep(scene.leech.ask(move));
    return errors;
  };
  for (const Error& error : refusals()) {
    CHECK(error.code == ErrorCode::not_found);
    CHECK(mentions(error, "no download of \"game\" is under way"));
  }
  REQUIRE(scene.leech.ask(download_of("game")).has_value());
  REQUIRE(scene.received(2'000'000));
  // A running download may be moved: it continues.
  CHECK(scene.leech.ask(move).has_value());

  SECTION("cancelled") {
    REQUIRE(command<api::CancelDownload>(scene.leech).has_value());
    std::vector<Error> errors = refusals();
    errors.push_back(command<api::ResumeDownload>(scene.leech).error());
    errors.push_back(command<api::CancelDownload>(scene.leech).error());
    for (const Error& error : errors) {
      CHECK(error.code == ErrorCode::not_found);
      CHECK(mentions(error, "was cancelled"));
      CHECK(mentions(error, "'peerctl download'"));
    }
  }
  SECTION("finished") {
    REQUIRE(scene.world.run_until([&] { return scene.leech.count("DownloadGameFilesFinished") == 1; }, 1min));
    std::vector<Error> errors = refusals();
    errors.push_back(command<api::ResumeDownload>(scene.leech).error());
    errors.push_back(command<api::CancelDownload>(scene.leech).error());
    for (const Error& error : errors) CHECK(mentions(error, "has finished already"));
    CHECK(scene.leech.disk.exists("/library/game"));
  }
  SECTION("without its peers, then given up") {
    scene.lose_seed();
    REQUIRE(scene.is_given_up(0s, 1min));
    for (const Error& error : refusals()) CHECK(mentions(error, "'peerctl resume'"));
    REQUIRE(scene.leech.disk.exists("/library/.peerd/staging/game"));
    REQUIRE(command<api::CancelDownload>(scene.leech).has_value());
    CHECK_FALSE(scene.leech.disk.exists("/library/.peerd/staging/game"));
    CHECK(download(scene.leech).state == DownloadState::cancelled);
    CHECK(terminal_events(scene.leech) == 1);  // it had ended already
    CHECK(command<api::ResumeDownload>(scene.leech).error().code == ErrorCode::not_found);
    scene.leech.stop();
    scene.leech.start(scene.options);
    scene.world.executor.advance(10s);
    CHECK(scene.leech.ask(api::ListDownloads{})->empty());
  }
}
