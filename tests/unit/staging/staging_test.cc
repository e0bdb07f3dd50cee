#include "libpeer/staging/staging.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <thread>

#include "libpeer/staging/trash.h"
#include "support/library/sample_game.h"
#include "support/store/temp_directory.h"

using namespace peer;
using staging::ChunkBatch;
using staging::Staging;
using test::MemoryDisk;
using test::SampleGame;

namespace {

const std::string kRoot = "/lib";
const std::string kGame = "game";

SampleGame new_game() {
  return test::make_game({{"bin/run.sh", 700},
                          {"data/big.pak", 2 * protocol::kChunkSize + 5000},
                          {"data/deep/er/a", 9000},
                          {"empty", 0},
                          {"readme", 10},
                          {"z.sh", 5000}},
                         1, {"saves/none"}, {{"latest", "data/big.pak"}});
}
SampleGame old_game() { return test::make_game({{"bin/run.sh", 600}, {"readme", 20}, {"gone", 30}}, 2); }

using Opened = Result<std::unique_ptr<Staging>>;
Opened open(store::Disk& disk, const SampleGame& game, const std::string& root = kRoot) {
  return Staging::open(disk, root, kGame, game.version, game.document, runtime::StopFlag());
}

Result<void> write(Staging& staging, const SampleGame& game, std::size_t first, std::size_t count) {
  const auto bytes = game.bytes(first, count);
  std::uint64_t written = 0;
  return staging.write(ChunkBatch{first, count, bytes}, written);
}

/// Checks that the chunks in have() are on the disk. Returns their number.
std::size_t check_have(Staging& staging, const MemoryDisk& disk, const SampleGame& game) {
  std::size_t count = 0;
  const std::vector<bool> have = staging.have();
  for (std::size_t i = 0; i < have.size(); ++i) {
    if (!have[i]) continue;
    ++count;
    const protocol::ChunkPlace place = game.manifest().place(i);
    const std::string file = disk.read(kRoot + "/.peerd/staging/game/tree/" + game.manifest().files[place.file].path);
    const std::string_view part = std::string_view(file).substr(place.offset, place.size);
    const auto right = game.chunk(i);
    REQUIRE(std::ranges::equal(std::span(reinterpret_cast<const std::uint8_t*>(part.data()), part.size()), right));
  }
  return count;
}

/// Writes the missing chunks in small steps, and publishes.
Result<void> complete(store::Disk& disk, const SampleGame& game) {
  auto staging = open(disk, game);
  if (!staging) return std::unexpected(staging.error());
  const std::vector<bool> have = (*staging)->have();
  for (std::size_t i = 0; i < have.size(); ++i) {
    if (have[i]) continue;
    if (Result<void> done = write(**staging, game, i, 1); !done) return done;
    if (i % 2 == 0) {
      if (Result<void> done = (*staging)->checkpoint(); !done) return done;
    }
  }
  const auto published = (*staging)->publish(nullptr);
  if (!published) return std::unexpected(published.error());
  return {};
}

void put_old_game(MemoryDisk& disk) {
  const SampleGame old = old_game();
  for (const auto& [path, text] : old.content) disk.write(kRoot + "/game/" + path, text);
}

}  // namespace

TEST_CASE("staging: a download is staged, logged and published completely", "[staging]") {
  MemoryDisk disk;
  disk.make_directories(kRoot);
  const SampleGame game = new_game();
  {
    const Opened staging = open(disk, game);
    REQUIRE(staging.has_value());
    CHECK(check_have(**staging, disk, game) == 0);
    REQUIRE(write(**staging, game, 0, 3).has_value());
    CHECK((*staging)->unlogged_bytes() == game.bytes(0, 3).size());
    REQUIRE((*staging)->checkpoint().has_value());
    CHECK((*staging)->unlogged_bytes() == 0);
    REQUIRE(write(**staging, game, 3, game.manifest().chunks.size() - 3).has_value());
    CHECK_FALSE(disk.exists("/lib/game"));
    REQUIRE((*staging)->publish(nullptr).has_value());
  }
  CHECK(game.is_at(disk, "/lib/game"));
  CHECK(disk.tree("/lib/.peerd") == std::vector<std::string>{"installed/", "installed/game", "staging/"});
  const auto top = disk.open("/lib/game", false, false);
  for (std::size_t i = 0; i < game.manifest().files.size(); ++i) {
    const auto& file = game.manifest().files[i];
    if (file.path.contains('/')) continue;
    const auto info = (*top)->info(file.path);
    REQUIRE(info.has_value());
    CHECK(info->executable == file.executable);
    CHECK(info->mtime == game.document->times.file_times[i]);
  }
  disk.power_cut(1);
  CHECK(game.is_at(disk, "/lib/game"));
  CHECK(disk.open_files() == 0);
}

TEST_CASE("staging: a download is published and its stage removed on a file system that keeps open files after removal",
          "[staging]") {
  for (const bool update : {false, true}) {
    INFO("update " << update);
    MemoryDisk disk;
    disk.set_hides_open_files(true);
    disk.set_exchange_supported(false);
    disk.make_directories(kRoot);
    if (update) put_old_game(disk);
    const SampleGame game = new_game();
    const Opened staging = open(disk, game);
    REQUIRE(staging.has_value());
    REQUIRE(write(**staging, game, 0, game.manifest().chunks.size()).has_value());
    const auto published = (*staging)->publish(nullptr);
    INFO((published ? "" : published.error().message));
    REQUIRE(published.has_value());
    CHECK(disk.open_files() == 0);
    CHECK(game.is_at(disk, "/lib/game"));
    CHECK(disk.tree("/lib/.peerd/staging").empty());
    CHECK_FALSE(disk.exists("/lib/.peerd/trash"));
    CHECK((*staging)->close_cleanly().has_value());
  }
}

TEST_CASE("staging: a stage in which a reader has a file open can be replaced by another version", "[staging]") {
  MemoryDisk disk;
  disk.set_hides_open_files(true);
  disk.make_directories(kRoot);
  const SampleGame one = new_game();
  const SampleGame other = old_game();
  auto reader = open(disk, one);
  REQUIRE(reader.has_value());
  REQUIRE(write(**reader, one, 0, one.manifest().chunks.size()).has_value());
  const auto reading = (*reader)->open_file(1);
  REQUIRE(reading.has_value());
  const auto done = complete(disk, other);
  INFO((done ? "" : done.error().message));
  REQUIRE(done.has_value());
  CHECK(other.is_at(disk, "/lib/game"));
  CHECK(disk.tree("/lib/.peerd/staging").empty());
}

TEST_CASE("staging: an update changes places with the old game, which is kept", "[staging]") {
  for (const bool exchange : {true, false}) {
    INFO("exchange " << exchange);
    MemoryDisk disk;
    disk.set_exchange_supported(exchange);
    put_old_game(disk);
    REQUIRE(complete(disk, new_game()).has_value());
    CHECK(new_game().is_at(disk, "/lib/game"));
    CHECK(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
    REQUIRE(complete(disk, old_game()).has_value());
    CHECK(disk.tree("/lib/.peerd/replaced/game/").front() == "1/");  // an unchanged installed version is not kept
    CHECK_FALSE(disk.exists("/lib/.peerd/replaced/game/2"));
    CHECK(disk.tree("/lib/.peerd/staging").empty());
  }
}

TEST_CASE("staging: a wrong chunk is refused, and the chunks before it count", "[staging]") {
  MemoryDisk disk;
  disk.make_directories(kRoot);
  const SampleGame game = new_game();
  const Opened staging = open(disk, game);
  auto bytes = game.bytes(0, 3);
  bytes.back() ^= 1;
  std::uint64_t written = 0;
  const Result<void> done = (*staging)->write(ChunkBatch{0, 3, bytes}, written);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code == ErrorCode::invalid);
  CHECK(written == 2);
  CHECK(check_have(**staging, disk, game) == 2);
  bytes.resize(100);
  CHECK_FALSE((*staging)->write(ChunkBatch{0, 3, bytes}, written).has_value());
  CHECK(written == 0);
}

TEST_CASE("staging: after a clean stop the log is trusted, after an unclean stop correct chunks are found by hashing",
          "[staging]") {
  MemoryDisk disk;
  disk.make_directories(kRoot);
  const SampleGame game = new_game();
  {
    const Opened staging = open(disk, game);
    REQUIRE(write(**staging, game, 0, 3).has_value());
    REQUIRE((*staging)->close_cleanly().has_value());
  }
  const std::uint64_t before = disk.bytes_read();
  {
    const Opened staging = open(disk, game);
    CHECK(check_have(**staging, disk, game) == 3);
    CHECK(disk.bytes_read() - before < 2000);  // the log and the document
    REQUIRE(write(**staging, game, 4, 1).has_value());
  }
  {
    const Opened staging = open(disk, game);
    CHECK(check_have(**staging, disk, game) == 4);
    const auto document = Staging::stored_document(disk, kRoot, kGame, game.version);
    REQUIRE(document.has_value());
    REQUIRE(*document != nullptr);
    CHECK((*document)->times.file_times == game.document->times.file_times);
    CHECK(*Staging::stored_document(disk, kRoot, kGame, old_game().version) == nullptr);
    CHECK(*Staging::stored_document(disk, kRoot, "other", game.version) == nullptr);
  }
  const Opened other = open(disk, old_game());  // another version starts from the beginning
  REQUIRE(other.has_value());
  CHECK(check_have(**other, disk, old_game()) == 0);
  CHECK(staging::discard_staging(disk, kRoot, kGame).has_value());
  CHECK(disk.tree("/lib/.peerd/staging").empty());
}

TEST_CASE("staging: after a power cut no wrong chunk counts, nothing is lost, and the download can be completed",
          "[staging]") {
  const SampleGame game = new_game();
  for (const bool update : {false, true}) {
    for (const bool exchange : {true, false}) {
      if (!update && !exchange) continue;
      for (std::uint64_t cut = 0;; ++cut) {
        INFO("update " << update << ", exchange " << exchange << ", power cut at call " << cut);
        MemoryDisk disk;
        disk.set_exchange_supported(exchange);
        disk.make_directories(kRoot);
        if (update) put_old_game(disk);
        bool happened = false;
        const std::uint64_t begin = disk.calls();
        disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
          if (happened || call != begin + cut) return 0;
          happened = true;
          disk.power_cut(cut * 31 + 7);
          return EIO;
        });
        const Result<void> first = complete(disk, game);
        if (!happened) {
          REQUIRE(first.has_value());
          break;
        }
        disk.on_call({});
        REQUIRE(staging::recover(disk, kRoot).has_value());
        if (update) {
          const bool swapped = game.is_at(disk, "/lib/game");
          REQUIRE((swapped || old_game().is_at(disk, "/lib/game")));
          if (swapped) REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
        } else {
          REQUIRE((!disk.exists("/lib/game") || game.is_at(disk, "/lib/game")));
        }
        if (!game.is_at(disk, "/lib/game")) {
          {
            const Opened staging = open(disk, game);
            REQUIRE(staging.has_value());
            check_have(**staging, disk, game);
          }
          REQUIRE(complete(disk, game).has_value());
          if (update) REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
        }
        disk.power_cut(cut);
        REQUIRE(game.is_at(disk, "/lib/game"));
        REQUIRE(disk.tree("/lib/.peerd/staging").empty());
      }
    }
  }
}

TEST_CASE(
    "staging: whichever disk call fails, the next attempt completes, and no failed sync is retried on the same file",
    "[staging]") {
  const SampleGame game = new_game();
  for (const int error : {EIO, ENOSPC}) {
    for (std::uint64_t fault = 0;; ++fault) {
      INFO("call " << fault << " fails with " << error);
      MemoryDisk disk;
      put_old_game(disk);
      bool happened = false;
      std::string distrusted;
      const std::uint64_t begin = disk.calls();
      disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t call) {
        if (!distrusted.empty() && path == distrusted) {
          CHECK(operation != "file_sync");
          if (operation == "remove_file") distrusted.clear();
        }
        if (happened || call != begin + fault) return 0;
        happened = true;
        if (operation == "file_sync" && path.contains("/tree/")) distrusted = path;
        return error;
      });
      Result<void> done = complete(disk, game);
      if (!happened) break;
      if (!done) {
        REQUIRE(staging::recover(disk, kRoot).has_value());
        done = game.is_at(disk, "/lib/game") ? Result<void>() : complete(disk, game);
      }
      REQUIRE(done.has_value());
      disk.on_call({});
      disk.power_cut(fault);
      REQUIRE(game.is_at(disk, "/lib/game"));
      REQUIRE(old_game().is_at(disk, "/lib/.peerd/replaced/game/1"));
    }
  }
}

TEST_CASE("staging: a full disk is reported as no_space, and the same staging continues when there is room",
          "[staging]") {
  MemoryDisk disk;
  disk.make_directories(kRoot);
  const SampleGame game = new_game();
  const Opened staging = open(disk, game);
  REQUIRE(write(**staging, game, 0, 1).has_value());
  disk.set_capacity(100'000);
  const Result<void> full = write(**staging, game, 1, 3);
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().code == ErrorCode::no_space);
  REQUIRE((*staging)->checkpoint().has_value());
  CHECK(check_have(**staging, disk, game) == 1);
  disk.set_capacity(std::uint64_t{1} << 40);
  REQUIRE(write(**staging, game, 1, game.manifest().chunks.size() - 1).has_value());
  REQUIRE((*staging)->publish(nullptr).has_value());
  CHECK(game.is_at(disk, "/lib/game"));
}

TEST_CASE("staging: links that another program puts into the staging are not followed", "[staging]") {
  MemoryDisk disk;
  disk.make_directories(kRoot);
  disk.write("/outside/victim", "untouched");
  const SampleGame game = new_game();
  {
    REQUIRE(open(disk, game).has_value());
  }
  const std::string tree = "/lib/.peerd/staging/game/tree";
  SECTION("instead of a directory") {
    disk.make_symlink(tree + "/data", "/outside");
    const Opened staging = open(disk, game);
    if (staging) CHECK_FALSE(write(**staging, game, 1, 3).has_value());
  }
  SECTION("instead of a file, before the staging is opened") {
    disk.make_symlink(tree + "/readme", "/outside/victim");
    REQUIRE(complete(disk, game).has_value());
    CHECK(game.is_at(disk, "/lib/game"));
  }
  SECTION("instead of a file, while the staging is open") {
    const Opened staging = open(disk, game);
    disk.make_symlink(tree + "/readme", "/outside/victim");
    disk.make_symlink(tree + "/data", "/outside");
    for (std::size_t i = 0; i < game.manifest().chunks.size(); ++i) static_cast<void>(write(**staging, game, i, 1));
    static_cast<void>((*staging)->checkpoint());
  }
  SECTION("instead of .peerd") {
    disk.remove("/lib/.peerd");
    disk.make_symlink("/lib/.peerd", "/outside");
    CHECK_FALSE(open(disk, game).has_value());
  }
  CHECK(disk.tree("/outside") == std::vector<std::string>{"victim"});
  CHECK(disk.read("/outside/victim") == "untouched");
}

TEST_CASE("staging: a game that is a symlink or not a directory is not replaced", "[staging]") {
  MemoryDisk disk;
  disk.make_directories("/elsewhere/game");
  disk.make_directories(kRoot);
  disk.make_symlink("/lib/game", "/elsewhere/game");
  const Opened linked = open(disk, new_game());
  REQUIRE_FALSE(linked.has_value());
  CHECK(linked.error().code == ErrorCode::invalid);
  CHECK(linked.error().message.contains("/lib/game is a symlink"));
  disk.remove("/lib/game");
  disk.write("/lib/game", "a file");
  CHECK_FALSE(open(disk, new_game()).has_value());
  CHECK_FALSE(
      Staging::open(disk, kRoot, "../x", new_game().version, new_game().document, runtime::StopFlag()).has_value());
}

TEST_CASE("staging: a game that is a mount point, or that this user may not change, is not replaced", "[staging]") {
  MemoryDisk disk;
  put_old_game(disk);
  const auto before = disk.tree("/lib/game");
  disk.set_mount("/lib/game", true);
  const Opened mounted = open(disk, new_game());
  REQUIRE_FALSE(mounted.has_value());
  CHECK(mounted.error().code == ErrorCode::invalid);
  CHECK(mounted.error().message.contains("mount point"));
  disk.set_mount("/lib/game", false);
  disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "may_remove_entries" && path == "/lib/game" ? EACCES : 0;
  });
  const Opened foreign = open(disk, new_game());
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().code == ErrorCode::invalid);
  CHECK(foreign.error().message.contains("/lib/game"));
  CHECK(disk.tree("/lib/game") == before);
}

TEST_CASE("staging: with a damaged journal the whole stage is kept", "[staging]") {
  MemoryDisk disk;
  put_old_game(disk);
  disk.write("/lib/.peerd/staging/game/journal", "exchange one 2\n");
  disk.write("/lib/.peerd/staging/game/tree/save", "precious");
  REQUIRE(staging::recover(disk, kRoot).has_value());
  CHECK(disk.read("/lib/.peerd/replaced/game/1/tree/save") == "precious");
  CHECK(disk.tree("/lib/.peerd/staging").empty());
}

TEST_CASE("staging: several threads can write while another makes checkpoints", "[staging]") {
  const test::TempDirectory directory;
  const auto disk = store::posix_disk();
  std::map<std::string, std::size_t> sizes{{"big", 8 * protocol::kChunkSize + 1}, {"other", 3 * protocol::kChunkSize}};
  for (int i = 0; i < 120; ++i) sizes["d" + std::to_string(i % 20) + "/sub/f" + std::to_string(i)] = 100 + i;
  const SampleGame game = test::make_game(sizes, 5);
  const std::size_t chunks = game.manifest().chunks.size();
  {
    const Opened staging = open(*disk, game, directory.path());
    REQUIRE(staging.has_value());
    std::atomic<std::size_t> failures = 0;
    const auto work = [&](std::size_t begin) {
      for (std::size_t i = begin; i < chunks; i += 3) failures += write(**staging, game, i, 1) ? 0 : 1;
    };
    {
      const std::jthread a(work, 0), b(work, 1), c(work, 2);
      for (int i = 0; i < 10; ++i) failures += (*staging)->checkpoint() ? 0 : 1;
    }
    CHECK(failures == 0);
    REQUIRE((*staging)->close_cleanly().has_value());
  }
  const Opened staging = open(*disk, game, directory.path());
  REQUIRE(staging.has_value());
  CHECK(std::ranges::count((*staging)->have(), true) == static_cast<std::ptrdiff_t>(chunks));
  REQUIRE((*staging)->publish(nullptr).has_value());
  for (const auto& [path, text] : game.content) {
    const std::string name = path.substr(path.rfind('/') + 1);
    const std::string above = path.substr(0, path.size() - name.size());
    const auto parent = disk->open((directory / kGame) + "/" + above, false, false);
    REQUIRE(parent.has_value());
    const auto bytes = store::read_file(**parent, name, 1 << 30);
    REQUIRE(bytes.has_value());
    CHECK(std::string(bytes->begin(), bytes->end()) == text);
  }
}

TEST_CASE("staging: an own game is kept if requested, and the stage stays", "[staging]") {
  for (const bool exchange : {true, false}) {
    MemoryDisk disk;
    disk.set_exchange_supported(exchange);
    disk.make_directories(kRoot);
    const SampleGame game = new_game();
    {
      const Opened staging = open(disk, game);
      REQUIRE(staging.has_value());
      REQUIRE(write(**staging, game, 0, game.manifest().chunks.size()).has_value());
      put_old_game(disk);  // it appears during the download
      const auto published = (*staging)->publish(nullptr, true);
      REQUIRE_FALSE(published.has_value());
      CHECK(published.error().code == ErrorCode::refused);
      CHECK(published.error().message.contains("peerctl download game"));
      CHECK((*staging)->close_cleanly().has_value());
    }
    CHECK(old_game().is_at(disk, "/lib/game"));
    // A manual download replaces it without fetching anything, and keeps it in .peerd/replaced. An installed game is
    // replaced even with keep_own.
    const Opened again = open(disk, game);
    REQUIRE(again.has_value());
    CHECK(check_have(**again, disk, game) == game.manifest().chunks.size());
    REQUIRE((*again)->publish(nullptr).has_value());
    CHECK(disk.exists("/lib/.peerd/replaced/game/1/gone"));
    const SampleGame update = old_game();
    const Opened next = open(disk, update);
    REQUIRE(write(**next, update, 0, update.manifest().chunks.size()).has_value());
    REQUIRE((*next)->publish(nullptr, true).has_value());
    CHECK(update.is_at(disk, "/lib/game"));
  }
}
