// A file write is never interrupted: a pause, a cancel or a shutdown during a write takes effect when the write has
// ended. The test requests each after every step of a whole download, in which each write takes a while.
//
// PEERD_SWEEP_STRIDE=1 tests every step; by default a larger stride keeps the run short.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <map>
#include <set>

#include "libpeer/staging/staging.h"
#include "scenario.h"
#include "support/run_task.h"
#include "support/store/recording_disk.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kChunk = 1 << 20;
constexpr std::size_t kBig = 2'500'000;
constexpr int kStepsOfWrite = 12;
constexpr std::size_t kMostAtOnce = 3;  ///< nested writes, which the C++ stack must hold
const std::string kStage = "/library/.peerd/staging/game/";
const std::string kTree = kStage + "tree/";

enum class Way : std::uint8_t { pause, cancel, shutdown };

class Scenario {
 public:
  Scenario(std::uint64_t seed, std::uint64_t stop_at, Way way)
      : world_(seed),
        seeder_(world_, "seed", "10.0.0.1"),
        leech_(world_, "leech", "10.0.0.2"),
        recorder_(leech_.disk),
        stop_at_(stop_at),
        way_(way) {
    make_small_game(seeder_.disk, "/library/game", kBig);
    seeder_.start({});
    SimPeer::Options options = knowing(seeder_.address);
    options.disk = &recorder_;
    leech_.start(options);
    REQUIRE(sees(world_, leech_, 1));
    const api::GameInfo game = leech_.ask(api::ListGames{}).value().at(0);
    version_ = game.remote.at(0).version;
    recorder_.set_during([this](std::size_t write) { during(write); });
    REQUIRE(leech_.ask(download_of("game")).has_value());
  }

  /// Runs to the end of the download, or until the request has taken effect.
  void run() {
    while (!requested_ && terminal_events(leech_) == 0) step();
    const auto over = [this] {
      switch (way_) {
        case Way::pause: return is_paused() || terminal_events(leech_) > 0;
        case Way::cancel: return leech_.tasks("download game") == 0;
        case Way::shutdown: return leech_.stopped();
      }
      return false;
    };
    if (requested_) REQUIRE(world_.run_until(over, 2s));
    recorder_.set_during({});
    check_writes();
    if (requested_ && way_ != Way::cancel && !leech_.disk.exists("/library/game")) check_log();
    leech_.stop();
    seeder_.stop();
    CHECK(leech_.disk.open_files() == 0);
  }

  std::uint64_t steps() const noexcept { return steps_; }
  bool requested_in_write() const noexcept { return requested_in_write_; }

 private:
  void step() {
    if (steps_++ == stop_at_) request();
    if (!world_.executor.step()) REQUIRE(world_.executor.advance_to_next_timer());
  }

  void request() {
    requested_ = true;
    requested_in_write_ = !under_way_.empty();
    if (way_ == Way::shutdown) return leech_.request_shutdown();
    if (way_ == Way::pause) {
      api::PauseDownload pause;
      pause.game = "game";
      leech_.handle().sender().send(pause, [](const auto&) {});
    } else {
      api::CancelDownload cancel;
      cancel.game = "game";
      leech_.handle().sender().send(cancel, [](const auto&) {});
    }
  }

  bool is_paused() {
    if (leech_.tasks("plan") + leech_.tasks("lane") > 0) return false;
    bool paused = false;
    leech_.handle().sender().send(api::ListDownloads{}, [&](const auto& list) {
      paused = list && !list->empty() && list->front().state == api::DownloadState::paused;
    });
    world_.executor.run_ready();
    return paused;
  }

  /// Runs the loops while a worker writes. Checks that the tasks that requested the writes still wait for them.
  void during(std::size_t write) {
    const std::string path = recorder_.writes()[write].path;
    if (!path.starts_with(kStage) || under_way_.size() >= kMostAtOnce) return;
    under_way_.insert(write);
    const bool requested_before = requested_;
    for (int i = 0; i < kStepsOfWrite; ++i) step();
    if (requested_ && !requested_before)
      world_.executor.advance(50ms);  // a task that sees the request has acted on it by now
    CHECK_FALSE(leech_.stopped());
    CHECK(terminal_events(leech_) == 0);
    CHECK(leech_.tasks("download game") == 1);
    std::size_t in_tree = 0;
    for (const std::size_t each : under_way_) in_tree += recorder_.writes()[each].path.starts_with(kTree) ? 1 : 0;
    CHECK(leech_.tasks("lane") >= in_tree);
    under_way_.erase(write);
  }

  /// The chunks of the game in manifest order, with file and offset.
  static std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> chunks() {
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> all;
    std::uint64_t number = 0;
    for (std::uint64_t at = 0; at < kBig; at += kChunk) all[{"big.pak", at}] = number++;
    for (int i = 0; i < 5; ++i) all[{"data/file" + std::to_string(i), 0}] = number++;
    return all;
  }

  std::uint64_t size_of(const std::string& path, std::uint64_t at) const {
    return std::min<std::uint64_t>(kChunk, seeder_.disk.read("/library/game/" + path).size() - at);
  }

  /// Checks that every started write has ended, and that no chunk is partly written.
  void check_writes() {
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> bytes;
    for (const RecordingDisk::Write& write : recorder_.writes()) {
      CHECK(write.ended);
      if (!write.path.starts_with(kTree)) continue;
      const std::uint64_t at = write.offset / kChunk * kChunk;
      bytes[{write.path.substr(kTree.size()), at}] += write.size;
    }
    for (const auto& [place, count] : bytes) {
      INFO(place.first << " at " << place.second);
      CHECK(count == size_of(place.first, place.second));
      written_.insert(chunks().at(place));
    }
  }

  /// Checks that every written chunk is logged.
  void check_log() {
    const auto had = staging::Staging::logged_chunks(leech_.disk, "/library", "game", version_, chunks().size());
    std::set<std::uint64_t> logged;
    for (std::uint64_t i = 0; i < had.size(); ++i) {
      if (had[i]) logged.insert(i);
    }
    CHECK(logged == written_);
  }

  SimWorld world_;
  SimPeer seeder_;
  SimPeer leech_;
  RecordingDisk recorder_;
  Digest version_;
  const std::uint64_t stop_at_;
  const Way way_;
  std::uint64_t steps_ = 0;
  bool requested_ = false;
  bool requested_in_write_ = false;
  std::set<std::size_t> under_way_;
  std::set<std::uint64_t> written_;
};

}  // namespace

TEST_CASE("no cancellation interrupts a file write") {
  constexpr std::uint64_t kSeed = 21;
  constexpr std::uint64_t kRuns = 100;
  Scenario whole(kSeed, UINT64_MAX, Way::cancel);
  whole.run();
  const char* const text = std::getenv("PEERD_SWEEP_STRIDE");
  const std::uint64_t stride = text != nullptr ? std::strtoull(text, nullptr, 10) : whole.steps() / kRuns + 1;
  std::uint64_t in_write = 0;
  for (std::uint64_t stop_at = 0; stop_at < whole.steps(); stop_at += stride) {
    for (const Way way : {Way::pause, Way::cancel, Way::shutdown}) {
      INFO("way " << static_cast<int>(way) << " after step " << stop_at << " of " << whole.steps());
      Scenario scenario(kSeed, stop_at, way);
      scenario.run();
      in_write += scenario.requested_in_write() ? 1 : 0;
    }
  }
  CHECK(in_write > 20);  // otherwise the writes take no time, and nothing is tested
}
