// On a real file system, a thread constantly replaces directories and files of the staging by links that lead outside.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "libpeer/staging/staging.h"
#include "support/library/sample_game.h"
#include "support/store/temp_directory.h"

using namespace peer;
using namespace peer::test;

namespace {

/// Replaces staged entries by links and restores them, until it is destroyed.
class LinkSwapper {
 public:
  LinkSwapper(std::filesystem::path staging, std::filesystem::path outside)
      : staging_(std::move(staging)), outside_(std::move(outside)), thread_([this] { run(); }) {}
  ~LinkSwapper() {
    stop_ = true;
    thread_.join();
  }
  std::uint64_t swaps() const { return swaps_; }

 private:
  void run() {
    const std::array targets{staging_ / "game",
                             staging_ / "game/tree",
                             staging_ / "game/tree/data",
                             staging_ / "game/tree/data/deep",
                             staging_ / "game/tree/readme",
                             staging_ / "game/tree/data/deep/file0",
                             staging_ / "game/log"};
    for (std::size_t i = 0; !stop_; ++i) {
      const std::filesystem::path& target = targets[i % targets.size()];
      const std::filesystem::path aside = target.string() + ".aside";
      std::error_code failed;
      std::filesystem::rename(target, aside, failed);
      if (failed) continue;
      const bool file = i % targets.size() >= 4;
      std::filesystem::create_symlink(file ? outside_ / "victim" : outside_, target, failed);
      std::this_thread::yield();
      std::filesystem::remove(target, failed);
      std::filesystem::rename(aside, target, failed);
      ++swaps_;
    }
  }

  const std::filesystem::path staging_, outside_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> swaps_ = 0;
  std::thread thread_;
};

/// One attempt to download and publish. It may fail anywhere.
void attempt(store::Disk& disk, const std::string& root, const SampleGame& game) {
  auto staging = staging::Staging::open(disk, root, "game", game.version, game.document, runtime::StopFlag());
  if (!staging) return;
  for (std::size_t i = 0; i < game.manifest().chunks.size(); ++i) {
    std::uint64_t written = 0;
    static_cast<void>((*staging)->write({i, 1, game.chunk(i)}, written));
  }
  static_cast<void>((*staging)->checkpoint());
  const std::vector<bool> have = (*staging)->have();
  if (std::ranges::find(have, false) != have.end()) return;
  static_cast<void>((*staging)->publish(nullptr));
}

}  // namespace

TEST_CASE("staging: replacing staged entries by links makes nothing appear outside the library", "[staging]") {
  const TempDirectory directory;
  const std::filesystem::path outside = directory / "outside";
  const std::string root = directory / "library";
  std::filesystem::create_directories(outside);
  std::filesystem::create_directories(root + "/.peerd/staging/game");
  std::ofstream(outside / "victim") << "untouched";
  std::map<std::string, std::size_t> sizes{{"readme", 500}};
  for (int i = 0; i < 20; ++i) sizes["data/deep/file" + std::to_string(i)] = 1000;
  const SampleGame game = make_game(sizes, 4, {"data/empty"}, {{"data/link", "deep/file1"}});
  const auto disk = store::posix_disk();
  {
    const LinkSwapper swapper(root + "/.peerd/staging", outside);
    for (int i = 0; i < 300 || swapper.swaps() < 100; ++i) {
      REQUIRE(i < 100'000);
      attempt(*disk, root, game);
      std::filesystem::remove_all(root + "/game");
    }
  }
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(outside))
    found.push_back(entry.path().filename());
  CHECK(found == std::vector<std::string>{"victim"});
  std::string text;
  std::getline(std::ifstream(outside / "victim"), text);
  CHECK(text == "untouched");
}
