#include "libpeer/transfer/partial_games.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/transfer/seeder.h"
#include "support/library/sample_game.h"
#include "support/net/fake_stream.h"
#include "support/run_task.h"

using namespace peer;
using protocol::kChunkSize;
using test::FakeServerStream;

namespace {

const PeerId kPeer{};

/// A game that is being downloaded, and a seeder that serves its staged chunks.
struct Fixture {
  test::MemoryDisk disk;
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, runtime::Duration(0)};
  test::SampleGame game = test::make_game({{"a/small", 100}, {"big", 4 * kChunkSize + 77}, {"z", 5}}, 3);
  transfer::Seeder seeder{executor, disk, workers, Log()};
  std::shared_ptr<staging::Staging> staging;
  std::vector<std::string> changed;

  Fixture() {
    disk.write("/lib/other", "");
    auto opened = staging::Staging::open(disk, "/lib", "game", game.version, game.document, runtime::StopFlag());
    REQUIRE(opened.has_value());
    staging = std::move(*opened);
    auto version = std::make_shared<library::OfferedGame>();
    version->version = game.version;
    version->document = game.document;
    auto partial = std::make_shared<transfer::PartialGame>();
    partial->game = "game";
    partial->version = std::move(version);
    partial->staging = staging;
    seeder.partial().put(std::move(partial));
    seeder.on_changed([this](const std::string& id) { changed.push_back(id); });
  }
  void write(std::uint64_t first, std::uint64_t count) {
    const auto bytes = game.bytes(first, count);
    std::uint64_t written = 0;
    REQUIRE(staging->write({first, count, bytes}, written).has_value());
    REQUIRE(written == count);
  }
  int get(std::uint64_t first, std::uint64_t count, std::string* content = nullptr, bool verify = false) {
    const std::string path = protocol::format_route(protocol::ChunksRoute{"game", game.version, first, count});
    net::RequestHead head{"GET", path, {}};
    if (verify) head.fields.push_back({std::string(protocol::kVerifyField), std::string(protocol::kVerifyTrue)});
    FakeServerStream stream{head, kPeer};
    test::run_task(executor, seeder.serve(stream, *protocol::parse_route("GET", path), {}));
    if (content != nullptr) *content = stream.writer().content();
    return stream.response()->status;
  }
  std::string text(std::size_t first, std::size_t count) const {
    const auto bytes = game.bytes(first, count);
    return {bytes.begin(), bytes.end()};
  }
};

}  // namespace

TEST_CASE("The written chunks of a download are served, across files, and no others", "[partial]") {
  Fixture f;
  CHECK(f.get(0, 1) == 404);
  f.write(0, 2);
  f.write(3, 4);
  std::string content;
  CHECK(f.get(0, 2, &content) == 200);
  CHECK(content == f.text(0, 2));
  CHECK(f.get(3, 4, &content) == 200);
  CHECK(content == f.text(3, 4));
  CHECK(f.get(2, 1) == 404);
  CHECK(f.get(0, 3) == 404);
  CHECK(f.get(6, 2) == 400);  // beyond the last chunk of the game
  CHECK(f.get(0, 1, &content, true) == 200);
  CHECK(f.seeder.partial().find("other") == nullptr);
}

TEST_CASE("A damaged staged chunk is refused on verification, and the library is not notified", "[partial]") {
  Fixture f;
  f.write(0, 7);
  f.disk.corrupt("/lib/.peerd/staging/game/tree/big", kChunkSize + 5, "rot");
  std::string content;
  CHECK(f.get(1, 1, &content, true) == 200);
  CHECK(f.get(2, 1, &content, true) == 410);
  CHECK(f.changed.empty());
}

TEST_CASE("A download that has ended is no longer served", "[partial]") {
  Fixture f;
  f.write(0, 7);
  const auto partial = f.seeder.partial().find("game");
  transfer::StagedReader reader(partial);
  std::vector<std::uint8_t> buffer(100);
  library::ContentReader::Position at;
  CHECK(reader.fill(at, buffer).has_value());
  f.seeder.partial().remove("game");
  f.seeder.partial().remove("game");
  CHECK(f.get(0, 1) == 404);
  CHECK(reader.fill(at, buffer).error().code == ErrorCode::not_found);
}

TEST_CASE("A request for a staged file that has vanished fails", "[partial]") {
  Fixture f;
  f.write(0, 7);
  REQUIRE(store::remove_tree(**f.disk.open("/lib/.peerd/staging/game/tree", false, false), "big").has_value());
  CHECK(f.get(1, 2) == 500);
  CHECK(f.get(0, 1) == 200);
}

TEST_CASE("The manifest of a download is served to a request that names its version", "[partial]") {
  Fixture f;
  const auto manifest = [&](const std::string& query) {
    const std::string path = "/v1/games/game/manifest" + query;
    FakeServerStream stream{net::RequestHead{"GET", path, {}}, kPeer};
    test::run_task(f.executor, f.seeder.serve(stream, *protocol::parse_route("GET", path), {}));
    return stream.response()->status;
  };
  CHECK(manifest("?version=" + f.game.version.hex()) == 200);
  CHECK(manifest("?version=" + std::string(64, '0')) == 404);
  CHECK(manifest("") == 404);  // the library does not offer the game
}
