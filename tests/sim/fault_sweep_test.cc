// Fails each disk call of a whole download in turn, with each errno. The result is never wrong, the error names its
// path, and the download can always be resumed.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstdlib>

#include "scenario.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

/// The distance between two tested faults; 1 with PEERD_SWEEP_STRIDE=1.
std::uint64_t stride() {
  const char* const text = std::getenv("PEERD_SWEEP_STRIDE");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 0;
}

/// A download, or an update of an installed game, in which one call to the receiver's disk fails.
class Scenario {
 public:
  Scenario(std::uint64_t seed, bool update) : world_(seed), update_(update) {
    make_small_game(seed_.disk, "/library/game", 2'500'000);
    seed_.disk.make_symlink("/library/game/link", "data/file1");
    seed_.disk.make_directories("/library/game/empty");
    if (update) {
      make_small_game(leech_.disk, "/library/game", 2'500'000);
      leech_.disk.write("/library/game/data/file2", "of an older version");
      for (const std::string file : {"big.pak", "data/file0", "data/file1", "data/file2", "data/file3", "data/file4"})
        leech_.disk.set_mtime("/library/game/" + file, 1'000'000'000'000'000'000);
    }
    seed_.start({});
    leech_.start(knowing(seed_.address));
    REQUIRE(world_.run_until([&] { return ready(); }, 30s));
  }

  /// False if the download ended before that call.
  bool run(std::uint64_t fault, int error) {
    bool happened = false;
    const std::uint64_t begin = leech_.disk.calls();
    leech_.disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
      if (happened || call < begin + fault) return 0;
      happened = true;
      return error;
    });
    const auto begun = leech_.ask(download_of("game"));
    REQUIRE(begun.has_value());
    REQUIRE(world_.run_until([&] { return terminal_events(leech_) == 1; }, 5min));
    if (leech_.count("DownloadGameFilesFinished") == 0) {
      const auto failed = leech_.ask(api::ListDownloads{}).value();
      REQUIRE(failed.size() == 1);
      REQUIRE(failed[0].error.has_value());
      CHECK((failed[0].error->code == ErrorCode::disk_error || failed[0].error->code == ErrorCode::no_space));
      CHECK(failed[0].error->message.find('/') != std::string::npos);  // it names the path
      const auto again = leech_.ask(download_of("game"));
      REQUIRE(again.has_value());
      if (again->state != api::DownloadState::finished) {
        REQUIRE(world_.run_until([&] { return terminal_events(leech_) == 2; }, 5min));
        REQUIRE(leech_.count("DownloadGameFilesFinished") == 1);
      }
    }
    leech_.disk.on_call({});
    REQUIRE(leech_.disk.tree("/library/game") == seed_.disk.tree("/library/game"));
    for (const std::string file : {"big.pak", "data/file0", "data/file1", "data/file2", "data/file3", "data/file4"})
      REQUIRE(leech_.disk.read("/library/game/" + file) == seed_.disk.read("/library/game/" + file));
    // In the end it is offered: both peers have the same version.
    REQUIRE(world_.run_until([&] { return offered(); }, 10min));
    return happened;
  }

 private:
  bool ready() {
    const auto games = leech_.ask(api::ListGames{}).value();
    if (games.size() != 1 || games[0].remote.size() != 1) return false;
    return !update_ || (games[0].local && games[0].local->state == library::GameState::ready);
  }
  bool offered() {
    const auto games = leech_.ask(api::ListGames{}).value();
    return games.size() == 1 && games[0].local && games[0].local->offered && games[0].remote.size() == 1 &&
           games[0].local->offered->version == games[0].remote[0].version;
  }

  SimWorld world_;
  const bool update_;
  SimPeer seed_{world_, "seed", "10.0.0.1"};
  SimPeer leech_{world_, "leech", "10.0.0.3"};
};

}  // namespace

TEST_CASE(
    "whichever disk call of a download fails, the result is right or the error names the path, and it can be resumed") {
  constexpr std::array kErrors{ENOSPC, EIO, EROFS, EACCES, EMFILE};
  constexpr std::uint64_t kRuns = 6;  // per scene and errno, unless all are requested
  for (const bool update : {false, true}) {
    for (const int error : kErrors) {
      std::uint64_t every = stride();
      if (every == 0) {
        std::uint64_t calls = 1;
        while (Scenario(90, update).run(calls, error)) calls *= 2;
        every = calls / kRuns + 1;
      }
      for (std::uint64_t fault = static_cast<std::uint64_t>(error) % every;; fault += every) {
        INFO((update ? "update" : "download") << ": call " << fault << " fails with " << error);
        if (!Scenario(90, update).run(fault, error)) break;
      }
    }
  }
}
