#include "libpeer/library/hash_stream.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/manifest.h"
#include "support/store/memory_disk.h"

namespace peer::library {
namespace {

/// Hashes /r/game/f, which has three chunks. Calls `at_read` before each read, with the number of the read from 1.
std::vector<HashedFile> hash_file(test::MemoryDisk& disk, const std::function<int(int)>& at_read) {
  std::int64_t clock = 0;
  disk.set_clock([&clock] { return ++clock; });
  disk.write("/r/game/f", std::string(3 * protocol::kChunkSize, 'a'));
  const auto root = disk.open("/r", false, false);
  REQUIRE(root.has_value());
  auto scan = scan_game(**root, "game", 0, nullptr, nullptr, runtime::StopFlag());
  REQUIRE(scan.has_value());
  HashWork work;
  work.root = "/r";
  work.game = "game";
  work.scan = std::make_shared<const ScannedGame>(std::move(*scan));
  work.files = {0};
  int reads = 0;
  disk.on_call([&](std::string_view operation, const std::string&, std::uint64_t) {
    return operation == "read_at" ? at_read(++reads) : 0;
  });
  std::atomic<std::uint64_t> bytes_read = 0;
  std::vector<HashedFile> files;
  {
    HashStream stream(disk, work, bytes_read);
    HashSlice slice = stream.run(0, runtime::StopFlag());
    REQUIRE(slice.done);
    files = std::move(slice.files);
  }
  disk.on_call({});
  disk.set_clock([] { return 0; });
  CHECK(disk.open_files() == 0);
  return files;
}

}  // namespace

TEST_CASE("hash stream: an unchanged file is hashed chunk by chunk") {
  test::MemoryDisk disk;
  const auto files = hash_file(disk, [](int) { return 0; });
  REQUIRE(files.size() == 1);
  CHECK(files[0].outcome == HashOutcome::hashed);
  const std::vector<std::uint8_t> chunk(protocol::kChunkSize, 'a');
  CHECK(files[0].chunks == std::vector<Digest>(3, protocol::hash(chunk)));
}

TEST_CASE("hash stream: a file that is written while it is read counts as changed, whichever chunk was written") {
  for (int when = 1; when <= 3; ++when) {
    INFO("written before read " << when);
    test::MemoryDisk disk;
    const auto files = hash_file(disk, [&](int read) {
      if (read == when) disk.write("/r/game/f", std::string(3 * protocol::kChunkSize, 'b'));
      return 0;
    });
    REQUIRE(files.size() == 1);
    CHECK(files[0].outcome == HashOutcome::changed);
  }
}

TEST_CASE("hash stream: a file that shrinks counts as changed, and a file with a read error as unreadable") {
  test::MemoryDisk disk;
  const auto shrunk = hash_file(disk, [&](int read) {
    if (read == 2) disk.write("/r/game/f", "short");
    return 0;
  });
  REQUIRE(shrunk.size() == 1);
  CHECK(shrunk[0].outcome == HashOutcome::changed);
  const auto failed = hash_file(disk, [](int read) { return read == 2 ? EIO : 0; });
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].outcome == HashOutcome::unreadable);
  CHECK_FALSE(failed[0].reason.empty());
}

}  // namespace peer::library
