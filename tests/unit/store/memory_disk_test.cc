// MemoryDisk itself is tested, because other tests rely on its faults and power cuts.
#include "support/store/memory_disk.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <set>

#include "libpeer/store/disk.h"

namespace peer::test {
namespace {

using store::Directory;
using store::OpenMode;
using store::RenameMode;

std::vector<std::uint8_t> bytes(std::string_view text) { return {text.begin(), text.end()}; }

void put(Directory& directory, std::string_view name, std::string_view content, bool sync) {
  const auto file = *directory.open_file(name, OpenMode::create);
  REQUIRE(file->write_at(bytes(content), 0));
  if (sync) REQUIRE(file->sync());
}

}  // namespace

TEST_CASE("Memory disk: synced data survives every power cut") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk;
    {
      const auto root = *disk.open("/r", true, false);
      put(*root, "f", "synced", true);
      REQUIRE(root->sync());
      const auto top = *disk.open("/", false, false);
      REQUIRE(top->sync());
    }
    disk.power_cut(seed);
    CHECK(disk.read("/r/f") == "synced");
  }
}

TEST_CASE("Memory disk: unsynced data is sometimes lost, sometimes kept, sometimes torn") {
  std::set<std::string> contents;
  std::set<std::size_t> counts;
  const std::string old(3 * 4096, 'o');
  const std::string fresh(3 * 4096, 'n');
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    MemoryDisk disk;
    disk.write("/r/f", old);
    {
      const auto root = *disk.open("/r", false, false);
      put(*root, "f", fresh, false);
      put(*root, "a", "a", true);  // its data is durable, its name is not
      put(*root, "b", "b", true);
    }
    disk.power_cut(seed);
    contents.insert(disk.read("/r/f"));
    counts.insert(disk.tree("/r").size());
  }
  CHECK(contents.contains(old));
  CHECK(contents.contains(fresh));
  CHECK(contents.size() > 2);
  CHECK(counts == std::set<std::size_t>{1, 2, 3});
}

TEST_CASE("Memory disk: a rename survives as a whole or not at all, and never without the operations it depends on") {
  std::set<std::vector<std::string>> outcomes;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    MemoryDisk disk;
    disk.write("/r/old/x", "old");
    {
      const auto root = *disk.open("/r", false, false);
      REQUIRE(root->make_directory("new"));
      put(**root->open_directory("new", false), "y", "new", true);
      REQUIRE((*root->open_directory("new", false))->sync());
      REQUIRE(root->rename("new", *root, "old", RenameMode::exchange));
    }
    disk.power_cut(seed);
    outcomes.insert(disk.tree("/r"));
  }
  CHECK(outcomes == std::set<std::vector<std::string>>{
                        {"old/", "old/x"}, {"new/", "new/y", "old/", "old/x"}, {"new/", "new/x", "old/", "old/y"}});
}

TEST_CASE("Memory disk: syncing a directory includes the operations that its entries depend on") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk;
    disk.make_directories("/a");
    disk.make_directories("/b");
    {
      const auto a = *disk.open("/a", false, false);
      const auto b = *disk.open("/b", false, false);
      put(*a, "f", "x", true);
      REQUIRE(a->rename("f", *b, "f", RenameMode::replace));
      REQUIRE(b->sync());
    }
    disk.power_cut(seed);
    CHECK(disk.tree("/") == std::vector<std::string>{"a/", "b/", "b/f"});
  }
}

TEST_CASE("Memory disk: handles from before a power cut fail") {
  MemoryDisk disk;
  const auto root = *disk.open("/r", true, false);
  const auto file = *root->open_file("f", OpenMode::create);
  disk.power_cut(1);
  CHECK(file->write_at(bytes("x"), 0).error().system == EIO);
  CHECK(root->list().error().system == EIO);
}

TEST_CASE("Memory disk: faults, capacity and counters") {
  MemoryDisk disk;
  std::vector<std::string> seen;
  disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t call) {
    seen.push_back(std::string(operation) + " " + path + " " + std::to_string(call));
    return operation == "file_sync" ? EIO : 0;
  });
  disk.set_capacity(10);
  const auto root = *disk.open("/r", true, false);
  {
    const auto file = *root->open_file("f", OpenMode::create_new);
    CHECK(disk.open_files() == 1);
    CHECK(file->write_at(bytes("0123456789"), 0));
    CHECK(file->sync().error().system == EIO);
    const auto full = file->write_at(bytes("x"), 10);
    CHECK(full.error().code == ErrorCode::no_space);
    std::vector<std::uint8_t> buffer(4);
    CHECK(file->read_at(buffer, 8).value() == 2);
  }
  CHECK(disk.open_files() == 0);
  CHECK(disk.open_directories() == 1);
  CHECK(disk.bytes_read() == 2);
  CHECK(disk.bytes_written() == 10);
  CHECK(root->space()->available == 0);
  REQUIRE(root->remove_file("f"));
  CHECK(root->space()->available == 10);
  CHECK(seen.at(0) == "open /r 0");
  CHECK(seen.at(2) == "write_at /r/f 2");
}

TEST_CASE("Memory disk: an atomic write leaves the old or the new content after a failure or power cut at any call") {
  for (std::uint64_t fatal = 0;; ++fatal) {
    bool reached = false;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      MemoryDisk disk;
      disk.write("/r/f", "old");
      const auto root = *disk.open("/r", false, false);
      const std::uint64_t first = disk.calls();
      disk.on_call([&](std::string_view, const std::string&, std::uint64_t call) {
        if (call < first + fatal) return 0;
        reached = true;
        return EIO;
      });
      const bool written = write_file_atomically(*root, "f", bytes("new")).has_value();
      disk.power_cut(seed);
      const std::string content = disk.read("/r/f");
      CHECK((content == "new" || (content == "old" && !written)));
    }
    if (!reached) break;
  }
}

}  // namespace peer::test
