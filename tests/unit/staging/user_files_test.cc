#include "libpeer/staging/user_files.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "libpeer/library/installed.h"
#include "libpeer/staging/staging.h"
#include "libpeer/staging/trash.h"
#include "support/library/sample_game.h"

using namespace peer;
using staging::Staging;
using staging::UserFiles;
using test::MemoryDisk;
using test::SampleGame;

namespace {

const std::string kGame = "/lib/game";
const std::string kKept = "/lib/.peerd/replaced/game/1";

SampleGame old_version() {
  return test::make_game({{"bin/run.sh", 600},
                          {"data/big", protocol::kChunkSize + 10},
                          {"dropped/level", 50},
                          {"gone", 30},
                          {"old/settings", 20},
                          {"readme", 40}},
                         2, {"empty"}, {{"latest", "readme"}, {"link", "gone"}});
}
SampleGame new_version() {
  return test::make_game({{"bin/run.sh", 700}, {"data/big", protocol::kChunkSize + 99}, {"readme", 10}, {"z.sh", 5000}},
                         1, {"saves/none"}, {{"latest", "data/big"}});
}

Result<UserFiles> install(MemoryDisk& disk, const SampleGame& game, const library::OfferedGame* known = nullptr) {
  auto staging = Staging::open(disk, "/lib", "game", game.version, game.document, runtime::StopFlag());
  if (!staging) return std::unexpected(staging.error());
  const std::vector<bool> have = (*staging)->have();
  for (std::size_t i = 0; i < have.size(); ++i) {
    std::uint64_t written = 0;
    const auto bytes = game.bytes(i, 1);
    if (have[i]) continue;
    if (Result<void> done = (*staging)->write({i, 1, bytes}, written); !done) return std::unexpected(done.error());
  }
  return (*staging)->publish(known);
}

/// Makes every kind of change that a user can make to an installed game.
void change_files(MemoryDisk& disk) {
  disk.write(kGame + "/readme", "my notes");             // changed; the new version has it too
  disk.write(kGame + "/old/settings", "mine");           // changed; the new version has none
  disk.write(kGame + "/saves/deep/one", "level 7");      // added
  disk.write(kGame + "/bin/mod.so", "mod");              // added beside the game's own
  disk.write(kGame + "/z.sh", "my script");              // added where the new version has a file
  disk.write(kGame + "/data/big.d/x", "x");              // added
  disk.write(kGame + "/old/settings.d/mine", "more");    // added
  disk.make_directories(kGame + "/screenshots");         // added, empty
  disk.make_symlink(kGame + "/best", "saves/deep/one");  // added
  disk.remove(kGame + "/link");
  disk.make_symlink(kGame + "/link", "readme");  // changed
  disk.remove(kGame + "/gone");                  // deleted
  disk.remove(kGame + "/dropped/level");
}

const std::map<std::string, std::string> kUsers{
    {"readme", "my notes"}, {"old/settings", "mine"}, {"saves/deep/one", "level 7"},  {"bin/mod.so", "mod"},
    {"z.sh", "my script"},  {"data/big.d/x", "x"},    {"old/settings.d/mine", "more"}};

bool holds(const MemoryDisk& disk, const std::string& path, const std::string& content) {
  return disk.exists(path) && disk.read(path) == content;
}

/// Checks that the new version is installed with the added files, and that the changed files are in the replaced tree.
void check_updated(MemoryDisk& disk) {
  const SampleGame game = new_version();
  std::vector<std::string> tree = game.tree();
  for (const char* added : {"best -> saves/deep/one", "bin/mod.so", "data/big.d/", "data/big.d/x", "old/",
                            "old/settings.d/", "old/settings.d/mine", "saves/deep/", "saves/deep/one", "screenshots/"})
    tree.emplace_back(added);
  std::ranges::sort(tree);
  CHECK(disk.tree(kGame) == tree);
  for (const auto& [path, content] : game.content) CHECK(disk.read(kGame + "/" + path) == content);
  for (const char* path : {"saves/deep/one", "bin/mod.so", "data/big.d/x", "old/settings.d/mine"})
    CHECK(holds(disk, kGame + "/" + path, kUsers.at(path)));
  std::vector<std::string> kept = disk.tree(kKept);
  std::erase_if(kept,
                [](const std::string& path) { return path.ends_with('/'); });  // a crash may leave empty directories
  CHECK(kept == std::vector<std::string>{"link -> readme", "old/settings", "readme", "z.sh"});
  for (const char* path : {"old/settings", "readme", "z.sh"}) CHECK(holds(disk, kKept + "/" + path, kUsers.at(path)));
  CHECK(disk.tree("/lib/.peerd/staging").empty());
  const auto root = disk.open("/lib", false, false);
  const auto record = library::read_installed(**root, "game", nullptr);
  REQUIRE((record && *record));
  CHECK((*record)->version == game.version);
}

}  // namespace

TEST_CASE("user files: an update keeps added files in place, and moves changed files to the replaced tree",
          "[user_files]") {
  for (const bool exchange : {true, false}) {
    INFO("exchange " << exchange);
    MemoryDisk disk;
    disk.set_exchange_supported(exchange);
    disk.make_directories("/lib");
    REQUIRE(install(disk, old_version()).has_value());
    change_files(disk);
    const auto files = install(disk, new_version());
    REQUIRE(files.has_value());
    CHECK(files->moved == 5);
    CHECK(files->kept == 4);
    CHECK(files->path == kKept);
    CHECK_FALSE(files->problem.has_value());
    CHECK(files->describe() == "game: kept 5 files that you added; moved 4 files that you changed to " + kKept);
    check_updated(disk);
    disk.power_cut(1);
    check_updated(disk);
  }
}

TEST_CASE("user files: an update of an unchanged game keeps nothing of the old version", "[user_files]") {
  MemoryDisk disk;
  disk.make_directories("/lib");
  REQUIRE(install(disk, old_version()).has_value());
  const auto files = install(disk, new_version());
  REQUIRE(files.has_value());
  CHECK(files->describe().empty());
  CHECK(new_version().is_at(disk, kGame));
  CHECK(disk.tree("/lib/.peerd/replaced").empty());
}

TEST_CASE("user files: a file with a known stamp is not read, and a repair keeps added files", "[user_files]") {
  MemoryDisk disk;
  disk.make_directories("/lib");
  const SampleGame game = old_version();
  REQUIRE(install(disk, game).has_value());
  library::OfferedGame known{game.version, game.document, {}, {}, {}};
  for (const auto& file : game.manifest().files) {
    const auto slash = file.path.rfind('/');
    const auto at = disk.open(kGame + (slash == file.path.npos ? "" : "/" + file.path.substr(0, slash)), false, false);
    const auto info = (*at)->info(slash == file.path.npos ? file.path : file.path.substr(slash + 1));
    known.stamps.push_back({info->size, info->mtime, info->ctime, info->inode});
  }
  disk.write(kGame + "/save", "save");
  disk.corrupt(kGame + "/readme", 3, "rot");
  SECTION("all chunks are intact") {
    const std::uint64_t before = disk.bytes_read();
    REQUIRE(install(disk, game, &known)->kept == 0);
    CHECK(disk.bytes_read() - before < 5000);
  }
  SECTION("a chunk is known to be damaged") {
    known.intact.assign(game.manifest().chunks.size(), true);
    known.intact.back() = false;
    REQUIRE(install(disk, game, &known)->kept == 1);
    CHECK(disk.exists(kKept + "/readme"));
  }
  CHECK(disk.read(kGame + "/save") == "save");
  CHECK(disk.read(kGame + "/readme") == game.content.at("readme"));
}

TEST_CASE("user files: an own game is kept as a whole, and deleting a game deletes its record", "[user_files]") {
  MemoryDisk disk;
  disk.write(kGame + "/own", "own");
  const auto files = install(disk, new_version());
  REQUIRE(files.has_value());
  CHECK(files->kept_whole);
  CHECK(files->describe().contains(kKept));
  CHECK(disk.read(kKept + "/own") == "own");
  REQUIRE(staging::discard_game(disk, "/lib", "game").has_value());
  CHECK(disk.tree("/lib/.peerd/installed").empty());
}

namespace {

/// Interrupts an update at each disk call in turn, by a power cut or a kill.
void interrupt_everywhere(bool power, bool exchange) {
  for (std::uint64_t cut = 0;; ++cut) {
    INFO("at call " << cut);
    MemoryDisk disk;
    disk.set_exchange_supported(exchange);
    disk.make_directories("/lib");
    REQUIRE(install(disk, old_version()).has_value());
    disk.open("/lib", false, false).value()->sync_file_system().value();
    change_files(disk);
    const std::vector<std::string> changed = disk.tree(kGame);
    bool dead = false;
    const std::uint64_t begin = disk.calls();
    disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
      if (!dead && call == begin + cut) {
        dead = true;
        if (power) disk.power_cut(cut * 31 + 7);
      }
      return dead ? EIO : 0;
    });
    const auto first = install(disk, new_version());
    disk.on_call({});
    if (!dead) {
      REQUIRE(first.has_value());
      break;
    }
    REQUIRE(staging::recover(disk, "/lib").has_value());
    if (disk.exists(kGame + "/gone") || disk.tree(kGame) == changed) {
      REQUIRE(disk.tree(kGame) == changed);
      for (const auto& [path, content] : kUsers) REQUIRE(holds(disk, kGame + "/" + path, content));
      REQUIRE(install(disk, new_version()).has_value());
    }
    check_updated(disk);
  }
}

}  // namespace

TEST_CASE("user files: after a power cut the old or the new version is complete and no user file is lost",
          "[user_files]") {
  interrupt_everywhere(true, true);
}

TEST_CASE(
    "user files: after a power cut the old or the new version is complete and no user file is lost, on a file system "
    "without RENAME_EXCHANGE",
    "[user_files]") {
  interrupt_everywhere(true, false);
}

TEST_CASE("user files: after a kill the old or the new version is complete and no user file is lost", "[user_files]") {
  interrupt_everywhere(false, true);
}

TEST_CASE(
    "user files: after a kill the old or the new version is complete and no user file is lost, on a file system "
    "without RENAME_EXCHANGE",
    "[user_files]") {
  interrupt_everywhere(false, false);
}

TEST_CASE("user files: a single disk error during an update loses no user file", "[user_files]") {
  for (std::uint64_t fault = 0;; ++fault) {
    INFO("call " << fault << " fails");
    MemoryDisk disk;
    disk.make_directories("/lib");
    REQUIRE(install(disk, old_version()).has_value());
    change_files(disk);
    bool happened = false;
    const std::uint64_t begin = disk.calls();
    disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
      if (happened || call != begin + fault) return 0;
      happened = true;
      return EIO;
    });
    auto done = install(disk, new_version());
    if (!happened) break;
    disk.on_call({});
    if (!done) {
      REQUIRE(staging::recover(disk, "/lib").has_value());
      if (disk.read(kGame + "/readme") == "my notes") REQUIRE(install(disk, new_version()).has_value());
    }
    for (const auto& [path, content] : new_version().content) REQUIRE(holds(disk, kGame + "/" + path, content));
    for (const auto& [path, content] : kUsers) {
      REQUIRE((holds(disk, kGame + "/" + path, content) || holds(disk, kKept + "/" + path, content)));
    }
  }
}
