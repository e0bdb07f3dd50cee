#include "libpeer/transfer/seeder.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "libpeer/runtime/manual_executor.h"
#include "libpeer/runtime/scope.h"
#include "support/library/sample_game.h"
#include "support/net/fake_stream.h"
#include "support/run_task.h"

using namespace peer;
using protocol::kChunkSize;
using test::FakeServerStream;

namespace {

constexpr std::size_t kBig = 3 * kChunkSize + 77;

/// A library with one game on a memory disk, and a seeder that offers it.
struct Fixture {
  test::MemoryDisk disk;
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, runtime::Duration(0)};
  test::SampleGame game = test::make_game({{"a/small", 100}, {"big", kBig}, {"empty", 0}, {"z/y/last \"x\"", 5}}, 3);
  std::shared_ptr<library::LocalGame> local = std::make_shared<library::LocalGame>();
  transfer::Seeder seeder{executor, disk, workers, Log()};
  std::vector<std::string> changed;

  explicit Fixture(const std::string& where = "/lib/game") {
    for (const auto& [path, text] : game.content) disk.write(where + "/" + path, text);
    if (where != "/lib/game") disk.make_symlink("/lib/game", where);
    offer();
    seeder.on_changed([this](const std::string& id) { changed.push_back(id); });
    seeder.set_peer_document(R"({"name":"me"})");
  }
  void offer() {
    auto offered = std::make_shared<library::OfferedGame>();
    offered->version = game.version;
    offered->document = game.document;
    for (const auto& file : game.manifest().files) {
      const std::size_t slash = file.path.rfind('/');
      const std::string above = slash == file.path.npos ? "" : "/" + file.path.substr(0, slash);
      const auto directory = disk.open("/lib/game" + above, false, false);
      const auto info = (*directory)->info(slash == file.path.npos ? file.path : file.path.substr(slash + 1));
      offered->stamps.push_back({info->size, info->mtime, info->ctime, info->inode});
    }
    local->id = "game";
    local->root = "/lib";
    local->offered = offered;
    auto snapshot = std::make_shared<library::Snapshot>();
    snapshot->revision = 7;
    snapshot->games.push_back(local);
    seeder.set_snapshot(snapshot);
    seeder.set_revision(7);
  }
  void serve(FakeServerStream& stream) {
    auto route = protocol::parse_route(stream.request().method, stream.request().path);
    if (route) {
      test::run_task(executor, seeder.serve(stream, *route, {}));
    } else {
      test::run_task(executor, seeder.refuse(stream, route.error(), {}));
    }
  }
  std::string chunks_path(std::uint64_t first, std::uint64_t count) const {
    return protocol::format_route(protocol::ChunksRoute{"game", game.version, first, count});
  }
  std::string text(std::size_t first, std::size_t count) const {
    const auto bytes = game.bytes(first, count);
    return {bytes.begin(), bytes.end()};
  }
};

const PeerId kPeer{};

}  // namespace

TEST_CASE("The documents are served without a certificate", "[seeder]") {
  Fixture f;
  FakeServerStream peer_stream{net::RequestHead{"GET", "/v1/peer", {}}, std::nullopt};
  f.serve(peer_stream);
  CHECK(peer_stream.writer().content() == R"({"name":"me"})");
  CHECK(peer_stream.complete());
  FakeServerStream library{net::RequestHead{"GET", "/v1/library", {}}, std::nullopt};
  f.serve(library);
  CHECK(library.complete());
  CHECK(library.writer().content().contains(f.game.version.hex()));

  FakeServerStream json{net::RequestHead{"GET", "/v1/games/game/manifest", {}}, std::nullopt};
  f.serve(json);
  CHECK(json.complete());
  CHECK(json.field("content-type") == "application/json");
  CHECK(json.writer().content().starts_with("{"));

  const std::vector<net::Field> accept{{"accept", std::string(protocol::kManifestMediaType)}};
  const std::string path = "/v1/games/game/manifest?version=" + f.game.version.hex();
  for (int again = 0; again < 2; ++again) {
    FakeServerStream binary{net::RequestHead{"GET", path, accept}, std::nullopt};
    f.serve(binary);
    REQUIRE(binary.complete());
    const std::string& content = binary.writer().content();
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    CHECK(protocol::decode(bytes, f.game.version).has_value());
  }
  CHECK(f.seeder.stats().requests == 5);
}

TEST_CASE("A file is served whole, as a range, or as a head without a body", "[seeder]") {
  Fixture f;
  const std::string& big = f.game.content.at("big");
  FakeServerStream whole{net::RequestHead{"GET", "/v1/games/game/files/big", {}}, std::nullopt};
  f.serve(whole);
  CHECK(whole.complete());
  CHECK(whole.response()->status == 200);
  CHECK(whole.field("accept-ranges") == "bytes");
  CHECK(whole.writer().content() == big);
  CHECK(f.seeder.stats().bytes_sent == kBig);

  FakeServerStream part{net::RequestHead{"GET", "/v1/games/game/files/big", {{"range", "bytes=1048570-2097160"}}},
                        std::nullopt};
  f.serve(part);
  CHECK(part.complete());
  CHECK(part.response()->status == 206);
  CHECK(part.field("content-range") == "bytes 1048570-2097160/" + std::to_string(kBig));
  CHECK(part.writer().content() == big.substr(1048570, 2097160 - 1048570 + 1));

  FakeServerStream beyond{net::RequestHead{"GET", "/v1/games/game/files/big", {{"range", "bytes=99999999-"}}},
                          std::nullopt};
  f.serve(beyond);
  CHECK(beyond.complete());
  CHECK(beyond.response()->status == 416);
  CHECK(beyond.field("content-range") == "bytes */" + std::to_string(kBig));

  FakeServerStream head{net::RequestHead{"HEAD", "/v1/games/game/files/big", {}}, std::nullopt};
  f.serve(head);
  CHECK(head.complete());
  CHECK_FALSE(head.has_body());
  CHECK(head.response()->content_length == kBig);

  FakeServerStream empty{net::RequestHead{"GET", "/v1/games/game/files/empty", {}}, std::nullopt};
  f.serve(empty);
  CHECK(empty.complete());
  CHECK(empty.response()->content_length == 0);

  FakeServerStream odd{net::RequestHead{"GET", "/v1/games/game/files/z/y/last%20%22x%22", {}}, std::nullopt};
  f.serve(odd);
  CHECK(odd.writer().content() == f.game.content.at("z/y/last \"x\""));
}

TEST_CASE("A peer gets spans of chunks that cross files", "[seeder]") {
  for (const std::string where : {"/lib/game", "/other/place"}) {
    Fixture f(where);
    const std::size_t chunks = f.game.manifest().chunks.size();
    for (std::size_t first = 0; first < chunks; ++first) {
      for (std::size_t count = 1; first + count <= chunks; ++count) {
        FakeServerStream stream{net::RequestHead{"GET", f.chunks_path(first, count), {}}, kPeer};
        f.serve(stream);
        REQUIRE(stream.complete());
        REQUIRE(stream.response()->status == 200);
        REQUIRE(stream.writer().content() == f.text(first, count));
      }
    }
    CHECK(f.disk.open_files() == 0);
  }
}

TEST_CASE("A request that cannot be served is refused with a reason", "[seeder]") {
  Fixture f;
  const std::string none(64, '0');
  const std::vector<std::pair<std::string, int>> cases{
      {"/v1/nothing", 404},
      {"/v1/games/other/manifest", 404},
      {"/v1/games/game/manifest?version=" + none, 404},
      {"/v1/games/game/manifest?version=12", 400},
      {"/v1/games/game/files/a", 404},
      {"/v1/games/game/files/a/../big", 400},
      {"/v1/games/other/files/a", 404},
      {"/v1/games/game/chunks?version=" + none + "&first=0&count=1", 404},
      {f.chunks_path(0, 7), 400},
      {f.chunks_path(6, 1), 400},
      {f.chunks_path(0, 4097), 400},
      {f.chunks_path(0, 0), 400},
      {f.chunks_path(UINT64_MAX, 2), 400},
  };
  for (const auto& [path, status] : cases) {
    INFO(path);
    FakeServerStream stream{net::RequestHead{"GET", path, {}}, kPeer};
    f.serve(stream);
    REQUIRE(stream.complete());
    CHECK(stream.response()->status == status);
    CHECK(stream.writer().content().starts_with(R"({"error":{"code":")"));
  }
  FakeServerStream post{net::RequestHead{"POST", "/v1/peer", {}}, kPeer};
  f.serve(post);
  CHECK(post.response()->status == 405);
  CHECK(post.field("allow") == "GET, HEAD");
  for (const char* path : {"/v1/session", "/v1/proof"}) {
    INFO(path);
    FakeServerStream get{net::RequestHead{"GET", path, {}}, kPeer};
    f.serve(get);
    CHECK(get.response()->status == 405);
    CHECK(get.field("allow") == "POST");
  }
  FakeServerStream stranger{net::RequestHead{"GET", f.chunks_path(0, 1), {}}, std::nullopt};
  f.serve(stranger);
  CHECK(stranger.response()->status == 403);
}

TEST_CASE("A span above the byte limit is refused", "[seeder]") {
  Fixture f;
  f.game = test::make_game({{"huge", 17 * kChunkSize}}, 4);
  f.disk.write("/lib/game/huge", f.game.content.at("huge"));
  f.offer();
  FakeServerStream over{net::RequestHead{"GET", f.chunks_path(0, 17), {}}, kPeer};
  f.serve(over);
  CHECK(over.response()->status == 400);
  FakeServerStream fits{net::RequestHead{"GET", f.chunks_path(1, 16), {}}, kPeer};
  f.serve(fits);
  CHECK(fits.complete());
  CHECK(fits.response()->status == 200);
}

TEST_CASE("A changed file is not sent, and the change is reported", "[seeder]") {
  Fixture f;
  std::int64_t clock = 1;
  f.disk.set_clock([&] { return clock; });
  SECTION("before") {
    f.disk.write("/lib/game/big", std::string(kBig, 'y'));
    FakeServerStream stream{net::RequestHead{"GET", f.chunks_path(1, 2), {}}, kPeer};
    f.serve(stream);
    CHECK(stream.complete());
    CHECK(stream.response()->status == 410);
  }
  SECTION("removed") {
    f.disk.remove("/lib/game/big");
    FakeServerStream stream{net::RequestHead{"GET", f.chunks_path(1, 2), {}}, kPeer};
    f.serve(stream);
    CHECK(stream.response()->status == 410);
  }
  SECTION("while it is read: the stream is left unfinished") {
    int reads = 0;
    f.disk.on_call([&](std::string_view operation, const std::string& path, std::uint64_t) {
      if (operation == "read_at" && path.ends_with("/big") && ++reads == 2) {
        f.disk.set_mtime("/lib/game/big", 12345);
      }
      return 0;
    });
    FakeServerStream stream{net::RequestHead{"GET", f.chunks_path(1, 3), {}}, kPeer};
    f.serve(stream);
    CHECK(stream.response()->status == 200);
    CHECK_FALSE(stream.writer().finished());
    CHECK(stream.writer().content() == f.text(1, 1).substr(0, protocol::kFirstSendBytes));
  }
  CHECK(f.changed == std::vector<std::string>{"game"});
}

TEST_CASE("A disk error is a 500 and is not reported as a change", "[seeder]") {
  Fixture f;
  f.disk.on_call(
      [](std::string_view operation, const std::string&, std::uint64_t) { return operation == "read_at" ? EIO : 0; });
  FakeServerStream stream{net::RequestHead{"GET", f.chunks_path(0, 1), {}}, kPeer};
  f.serve(stream);
  CHECK(stream.complete());
  CHECK(stream.response()->status == 500);
  CHECK(f.changed.empty());
}

TEST_CASE("A cancelled request reads nothing more", "[seeder]") {
  Fixture f;
  auto stream = std::make_unique<FakeServerStream>(net::RequestHead{"GET", f.chunks_path(1, 3), {}}, kPeer);
  stream->writer().block();
  runtime::Scope scope(f.executor, "test", runtime::CancellationToken());
  runtime::Scope request(scope, "request");
  request.spawn("serve", f.seeder.serve(*stream, *protocol::parse_route("GET", f.chunks_path(1, 3)), request.token()));
  f.executor.run_ready();
  CHECK(stream->response().has_value());
  const std::uint64_t read = f.disk.bytes_read();
  CHECK(read == protocol::kFirstSendBytes);
  request.request_stop();
  f.executor.run_ready();
  CHECK(f.disk.bytes_read() == read);
  CHECK_FALSE(stream->writer().finished());
  test::run_task(f.executor, request.join());
  test::run_task(f.executor, scope.join());
}

TEST_CASE("Unacknowledged payload stays within the memory budget", "[seeder]") {
  Fixture f;
  std::vector<std::unique_ptr<FakeServerStream>> streams;
  runtime::Scope scope(f.executor, "test", runtime::CancellationToken());
  const auto route = *protocol::parse_route("GET", f.chunks_path(1, 3));
  for (int i = 0; i < 40; ++i) {
    streams.push_back(std::make_unique<FakeServerStream>(net::RequestHead{"GET", f.chunks_path(1, 3), {}}, kPeer));
    streams.back()->writer().hold();
    scope.spawn("serve", f.seeder.serve(*streams.back(), route, scope.token()));
  }
  f.executor.run_ready();
  CHECK(f.seeder.stats().bytes_sent == 40 * protocol::kFirstSendBytes);
  CHECK(f.seeder.send_memory() == 40 * protocol::kFirstSendBytes);
  // Acknowledgements free memory until every request is served.
  for (int round = 0; round < 40; ++round) {
    for (const auto& stream : streams) stream->writer().acknowledge();
    f.executor.run_ready();
    CHECK(f.seeder.send_memory() <= protocol::kSendMemory);
  }
  for (const auto& stream : streams) CHECK(stream->complete());
  test::run_task(f.executor, scope.join());
}

TEST_CASE("Requests that are not read do not stop those of others", "[seeder]") {
  Fixture f;
  std::vector<std::unique_ptr<FakeServerStream>> stuck;
  runtime::Scope scope(f.executor, "test", runtime::CancellationToken());
  const net::RequestHead head{"GET", "/v1/games/game/files/big", {}};
  const auto route = *protocol::parse_route("GET", head.path);
  const auto attacker = *net::SocketAddress::parse("10.0.0.66:1");
  for (int i = 0; i < 64 * 20; ++i) {
    stuck.push_back(
        std::make_unique<FakeServerStream>(head, std::nullopt, attacker, static_cast<std::uint8_t>(i / 64)));
    stuck.back()->writer().hold();
    scope.spawn("stuck", f.seeder.serve(*stuck.back(), route, scope.token()));
  }
  f.executor.run_ready();
  CHECK(f.seeder.send_memory() <= protocol::kSendMemory * 2 / 3 + 20 * protocol::kFirstSendBytes);
  // No timer passes: the honest requests wait for nobody.
  const runtime::TimePoint begin = f.executor.now();
  for (int i = 0; i < 100; ++i) {
    FakeServerStream honest{head, std::nullopt, *net::SocketAddress::parse("10.0.0.7:1"), 200};
    scope.spawn("honest", f.seeder.serve(honest, route, scope.token()));
    f.executor.run_ready();
    REQUIRE(honest.complete());
  }
  CHECK(f.executor.now() == begin);
  scope.request_stop();
  f.executor.run_ready();
  test::run_task(f.executor, scope.join());
}

TEST_CASE("A finished response of which the end is not read is reset while others wait", "[seeder]") {
  Fixture f;
  std::vector<std::unique_ptr<FakeServerStream>> stuck;
  runtime::Scope scope(f.executor, "test", runtime::CancellationToken());
  const net::RequestHead head{"GET", "/v1/games/game/files/big", {{"range", "bytes=0-65535"}}};
  const auto route = *protocol::parse_route("GET", head.path);
  for (int i = 0; i < 64 * 25; ++i) {
    stuck.push_back(std::make_unique<FakeServerStream>(
        head, std::nullopt, *net::SocketAddress::parse("10.0." + std::to_string(i / 64) + ".1:1"),
        static_cast<std::uint8_t>(i / 64)));
    stuck.back()->writer().hold();
    scope.spawn("stuck", f.seeder.serve(*stuck.back(), route, scope.token()));
  }
  f.executor.run_ready();
  CHECK(std::ranges::none_of(stuck, [](const auto& stream) { return stream->was_reset(); }));
  f.executor.advance(protocol::kSendProgressDeadline + std::chrono::seconds(1));
  CHECK(std::ranges::any_of(stuck, [](const auto& stream) { return stream->was_reset(); }));
  scope.request_stop();
  f.executor.run_ready();
  test::run_task(f.executor, scope.join());
}
