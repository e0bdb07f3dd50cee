#include "libpeer/library/game_reader.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/library/link_policy.h"
#include "libpeer/library/scan.h"
#include "support/store/memory_disk.h"

namespace peer::library {

TEST_CASE("game reader: a link to secrets is not followed, even if it was hashed", "[game_reader]") {
  test::MemoryDisk disk;
  disk.write("/home/game/file", "content");
  disk.write("/var/state/file", "secrets");
  auto game = std::make_shared<library::LocalGame>();
  game->id = "link";
  game->root = "/r";
  game->bounds = std::make_shared<const library::LinkPolicy>(
      disk, std::vector<std::string>{"/r"}, std::vector<std::string>{"/var/state"}, std::vector<std::string>{});
  const auto read = [&](const std::string& target) {
    disk.make_directories("/r");
    if (disk.exists("/r/link")) disk.remove("/r/link");
    disk.make_symlink("/r/link", target);
    // Pretend that the target was hashed.
    auto offered = std::make_shared<library::OfferedGame>();
    auto document = std::make_shared<protocol::ManifestDocument>();
    document->manifest.files.push_back({.path = "file", .size = 7});
    document->manifest.chunks.resize(1);
    offered->document = std::move(document);
    const auto directory = disk.open(target, false, false);
    offered->stamps.push_back(library::stamp_of((*directory)->info("file").value()));
    library::GameReader reader(disk, game, offered);
    std::vector<std::uint8_t> bytes(7);
    library::GameReader::Position at;
    const Result<void> done = reader.fill(at, bytes);
    return done ? std::string(bytes.begin(), bytes.end()) : std::string();
  };
  CHECK(read("/home/game") == "content");
  CHECK(read("/var/state").empty());
}

}  // namespace peer::library
