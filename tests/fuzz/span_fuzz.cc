// The input decides how a source answers requests for spans. Staged chunks must be correct, and the source's task must
// end.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/base/random.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/manual_executor.h"
#include "libpeer/transfer/fetch.h"
#include "support/store/memory_disk.h"

namespace {

using namespace peer;

/// Reads the input byte by byte, followed by zeros.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint8_t next() {
    if (bytes_.empty()) return 0;
    const std::uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

struct Game {
  std::vector<std::string> contents;
  std::shared_ptr<const protocol::ManifestDocument> document;
  Digest version;

  std::span<const std::uint8_t> chunk(std::uint64_t index) const {
    const protocol::ChunkPlace place = document->manifest.place(static_cast<std::size_t>(index));
    const std::string& text = contents[place.file];
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()).subspan(place.offset, place.size);
  }
};

Game make_game(std::size_t largest) {
  Game game;
  protocol::ManifestDocument document;
  const auto random = seeded_random(7);
  for (std::size_t i = 0; i < 10; ++i) {
    std::string text(i == 4 ? largest : 1 + i * 33, '\0');
    const std::span bytes(reinterpret_cast<std::uint8_t*>(text.data()), text.size());
    random->fill(bytes);
    protocol::ManifestFile file;
    file.path = "file" + std::to_string(i);
    file.size = text.size();
    document.manifest.files.push_back(file);
    for (std::size_t at = 0; at < text.size(); at += protocol::kChunkSize) {
      const std::size_t size = std::min<std::size_t>(text.size() - at, protocol::kChunkSize);
      document.manifest.chunks.push_back(protocol::hash(bytes.subspan(at, size)));
    }
    game.contents.push_back(std::move(text));
  }
  game.version = protocol::version_of(protocol::encode(document.manifest));
  // Decoding sets where each chunk is.
  auto decoded = protocol::decode(protocol::encode(document), game.version);
  PEER_CHECK(decoded.has_value());
  game.document = std::make_shared<const protocol::ManifestDocument>(std::move(*decoded));
  return game;
}

/// Use the game with several batches, which takes a hundred times as long.
bool large = false;

const Game& game() {
  static const Game games[] = {make_game(5000), make_game(protocol::kChunkSize + 77)};
  return games[large ? 1 : 0];
}

Error broken() { return Error{ErrorCode::unreachable, "broken", 0}; }

class Body final : public net::BodyReader {
 public:
  Body(std::vector<std::uint8_t> bytes, bool breaks) : bytes_(std::move(bytes)), breaks_(breaks) {}
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override {
    token.throw_if_requested();
    const std::size_t count = std::min(into.size(), bytes_.size() - at_);
    if (count < into.size() && breaks_) co_return std::unexpected(broken());
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, into.begin());
    at_ += count;
    co_return count;
  }
  void release(std::size_t bytes) override {
    released_ += bytes;
    PEER_CHECK(released_ <= at_);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  const bool breaks_;
  std::size_t at_ = 0;
  std::size_t released_ = 0;
};

class Stream final : public net::ClientStream {
 public:
  Stream(Result<net::ResponseHead> head, Body body) : head_(std::move(head)), body_(std::move(body)) {}
  runtime::Task<Result<net::ResponseHead>> response(runtime::CancellationToken) override { co_return head_; }
  net::BodyReader& reader() override { return body_; }
  net::BodyWriter& writer() override {
    PEER_CHECK(false);
    std::abort();
  }

 private:
  Result<net::ResponseHead> head_;
  Body body_;
};

/// The correct bytes, damaged as the input specifies.
std::vector<std::uint8_t> make_body(Input& input, const protocol::ChunksRoute& route) {
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t i = route.first; i < route.first + route.count; ++i) {
    const std::span<const std::uint8_t> chunk = game().chunk(i);
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
  }
  for (unsigned edits = input.next() % 4; edits > 0 && !bytes.empty(); --edits) {
    const std::size_t at = (std::size_t{input.next()} * 256 + input.next()) % bytes.size();
    switch (input.next() % 4) {
      case 0: bytes[at] ^= static_cast<std::uint8_t>(1 + input.next() % 255); break;
      case 1: bytes.resize(at); break;
      case 2: bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), input.next()); break;
      default: std::ranges::fill(std::span(bytes).subspan(at), input.next()); break;
    }
  }
  return bytes;
}

class LyingLink final : public net::Link {
 public:
  explicit LyingLink(Input& input) : input_(input) {}
  const std::optional<PeerId>& peer() const override { return id_; }
  net::SocketAddress remote_address() const override { return net::SocketAddress::loopback(1); }
  const net::ChannelBinding& channel_binding() const override { return binding_; }
  runtime::Task<Result<std::unique_ptr<net::ClientStream>>> request(const net::RequestHead& head, bool,
                                                                    runtime::CancellationToken) override {
    const auto route = protocol::parse_route(head.method, head.path);
    PEER_CHECK(route && std::holds_alternative<protocol::ChunksRoute>(*route));
    const auto& chunks = std::get<protocol::ChunksRoute>(*route);
    const std::uint8_t way = input_.next();
    if (way % 16 == 15) co_return std::unexpected(broken());
    Result<net::ResponseHead> answer = net::ResponseHead{};
    constexpr std::array kStatuses{200, 200, 200, 200, 404, 410, 503, 206};
    answer->status = kStatuses[way / 16 % kStatuses.size()];
    std::vector<std::uint8_t> body = make_body(input_, chunks);
    if (way % 4 == 1) answer->content_length = body.size();
    if (way % 4 == 2) answer->content_length = std::uint64_t{input_.next()} << input_.next() % 57;
    if (way % 8 == 7) answer->fields.push_back({std::string(protocol::kLimitedField), "?1"});
    if (way % 16 == 14) answer = std::unexpected(broken());
    co_return std::make_unique<Stream>(std::move(answer), Body(std::move(body), input_.next() % 8 == 7));
  }
  void close(std::string_view) override { ended_.set(); }
  runtime::Task<Error> ended(runtime::CancellationToken token) override {
    co_await ended_.wait(std::move(token));
    co_return broken();
  }
  net::LinkStats stats() const override { return {}; }

 private:
  Input& input_;
  net::ChannelBinding binding_;
  std::optional<PeerId> id_ = PeerId{};
  runtime::Event ended_;
};

class LyingTransport final : public net::Transport {
 public:
  explicit LyingTransport(Input& input) : input_(input) {}
  net::SocketAddress local_address() const override { return net::SocketAddress::loopback(1); }
  runtime::Task<Result<std::unique_ptr<net::Link>>> dial(net::SocketAddress, std::optional<PeerId>,
                                                         runtime::CancellationToken) override {
    co_return std::make_unique<LyingLink>(input_);
  }
  runtime::Task<void> serve(net::RequestHandler, runtime::CancellationToken) override { co_return; }

 private:
  Input& input_;
};

class InPlace final : public runtime::Workers {
 public:
  void submit(Job job) override { job(); }
};

runtime::Task<void> run(transfer::SourceJob job, bool& ended, runtime::CancellationToken token) {
  co_await transfer::run_source(std::move(job), std::move(token));
  ended = true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input({data, size});
  large = input.next() == 0xff;
  test::MemoryDisk disk;
  disk.make_directories("/lib");
  auto staging = staging::Staging::open(disk, "/lib", "game", game().version, game().document, runtime::StopFlag());
  PEER_CHECK(staging.has_value());
  const std::shared_ptr<staging::Staging> staged = std::move(*staging);

  runtime::ManualExecutor executor;
  InPlace workers;
  LyingTransport transport(input);
  bool ended = false;
  {
    runtime::Scope scope(executor, "net", runtime::CancellationToken());
    runtime::Channel<transfer::SourceReport> reports(executor, 1 << 10);
    transfer::SourceJob job(reports.sender());
    job.transport = &transport;
    job.net = &scope;
    job.workers = &workers;
    job.peer.addresses = {net::SocketAddress::loopback(1)};
    job.game = "game";
    job.version = game().version;
    job.document = game().document;
    job.staging = staged;
    job.spans = std::make_shared<runtime::Channel<transfer::Assignment>>(executor, 64);
    job.meters = std::make_shared<transfer::SourceMeters>();
    const std::uint64_t chunks = game().document->manifest.chunks.size();
    for (std::uint64_t first = 0; first < chunks;) {
      const std::uint64_t count = std::min<std::uint64_t>(chunks - first, 1 + input.next() % chunks);
      std::uint64_t bytes = 0;
      for (std::uint64_t i = first; i < first + count; ++i) bytes += game().chunk(i).size();
      transfer::Assignment assignment;
      assignment.span = {first, count, bytes};
      job.spans->sender().try_send(std::move(assignment));
      first += count;
    }
    job.spans->close();
    scope.spawn("source", run(std::move(job), ended, scope.token()));
    for (int steps = 0; executor.step(); ++steps) PEER_CHECK(steps < 100'000);
  }
  PEER_CHECK(ended);
  const protocol::Manifest& manifest = game().document->manifest;
  for (std::uint64_t i = 0; i < manifest.chunks.size(); ++i) {
    if (!staged->has(i, 1)) continue;
    const protocol::ChunkPlace place = manifest.place(static_cast<std::size_t>(i));
    const std::string there = disk.read("/lib/.peerd/staging/game/tree/" + manifest.files[place.file].path);
    PEER_CHECK(there.size() >= place.offset + place.size);
    PEER_CHECK(std::ranges::equal(game().chunk(i), std::span(there).subspan(place.offset, place.size), {}, {},
                                  [](char c) { return static_cast<std::uint8_t>(c); }));
  }
  return 0;
}
