#include "libpeer/staging/staging.h"

#include <atomic>
#include <thread>

#include "libpeer/staging/trash.h"
#include "staging_fixture.h"
#include "support/store/temp_directory.h"

namespace peer::staging {

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
  CHECK(discard_staging(disk, kRoot, kGame).has_value());
  CHECK(disk.tree("/lib/.peerd/staging").empty());
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

}  // namespace peer::staging
