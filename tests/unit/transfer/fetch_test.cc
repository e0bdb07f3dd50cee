// When a source's task ends, and when a download gives up a source, over links with scripted answers.
#include "libpeer/transfer/fetch.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/transfer/download.h"
#include "support/library/sample_game.h"
#include "support/run_task.h"

using namespace peer;
using namespace std::chrono_literals;
using test::SampleGame;

namespace {

/// How the links to one address behave, and how they were used.
struct Behaviour {
  enum class Answer { right, wrong, refuse, silence, throws } answer = Answer::right;
  runtime::Duration lag{};  ///< delay between the end of a link, or its cancellation, and its report
  int dials = 0;
  int alive = 0;
  int requests = 0;
  runtime::Event ended;
};

class Body final : public net::BodyReader {
 public:
  explicit Body(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override {
    token.throw_if_requested();
    const std::size_t count = std::min(into.size(), bytes_.size() - at_);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, into.begin());
    at_ += count;
    co_return count;
  }
  void release(std::size_t) override {}

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

class Stream final : public net::ClientStream {
 public:
  Stream(int status, bool silent, std::vector<std::uint8_t> body) : silent_(silent), body_(std::move(body)) {
    head_.status = status;
  }
  runtime::Task<Result<net::ResponseHead>> response(runtime::CancellationToken token) override {
    runtime::Event never;
    if (silent_) co_await never.wait(token);
    co_return head_;
  }
  net::BodyReader& reader() override { return body_; }
  net::BodyWriter& writer() override { std::abort(); }

 private:
  const bool silent_;
  net::ResponseHead head_;
  Body body_;
};

class Link final : public net::Link {
 public:
  Link(runtime::Executor& executor, const SampleGame& game, Behaviour& behaviour)
      : executor_(executor), game_(game), behaviour_(behaviour) {
    ++behaviour_.alive;
  }
  ~Link() override { --behaviour_.alive; }
  const std::optional<PeerId>& peer() const override { return id_; }
  net::SocketAddress remote_address() const override { return net::SocketAddress::loopback(1); }
  const net::ChannelBinding& channel_binding() const override { return binding_; }
  runtime::Task<Result<std::unique_ptr<net::ClientStream>>> request(const net::RequestHead& head, bool,
                                                                    runtime::CancellationToken token) override {
    using Answer = Behaviour::Answer;
    co_await runtime::sleep_for(executor_, 1ms, token);
    ++behaviour_.requests;
    if (behaviour_.answer == Answer::throws) throw std::runtime_error("out of luck");
    const auto route = protocol::parse_route(head.method, head.path);
    const auto& chunks = std::get<protocol::ChunksRoute>(*route);
    std::vector<std::uint8_t> body = game_.bytes(chunks.first, chunks.count);
    if (behaviour_.answer == Answer::wrong) body[0] ^= 1;
    const int status = behaviour_.answer == Answer::refuse ? 503 : 200;
    co_return std::make_unique<Stream>(status, behaviour_.answer == Answer::silence, std::move(body));
  }
  void close(std::string_view) override {}
  runtime::Task<Error> ended(runtime::CancellationToken token) override {
    std::exception_ptr cancelled;
    try {
      co_await behaviour_.ended.wait(token);
    } catch (...) {
      cancelled = std::current_exception();
    }
    if (behaviour_.lag > 0ns) co_await runtime::sleep_for(executor_, behaviour_.lag, runtime::CancellationToken());
    if (cancelled) std::rethrow_exception(cancelled);
    co_return Error{ErrorCode::unreachable, "pulled out", 0};
  }
  net::LinkStats stats() const override { return {}; }

 private:
  runtime::Executor& executor_;
  const SampleGame& game_;
  Behaviour& behaviour_;
  std::optional<PeerId> id_ = PeerId{};
  net::ChannelBinding binding_;
};

class Transport final : public net::Transport {
 public:
  Transport(runtime::Executor& executor, const SampleGame& game) : executor_(executor), game_(game) {}
  net::SocketAddress local_address() const override { return net::SocketAddress::loopback(1); }
  runtime::Task<Result<std::unique_ptr<net::Link>>> dial(net::SocketAddress address, std::optional<PeerId>,
                                                         runtime::CancellationToken) override {
    Behaviour& behaviour = behaviours[address];
    ++behaviour.dials;
    co_return std::make_unique<Link>(executor_, game_, behaviour);
  }
  runtime::Task<void> serve(net::RequestHandler, runtime::CancellationToken) override { co_return; }
  std::map<net::SocketAddress, Behaviour> behaviours;

 private:
  runtime::Executor& executor_;
  const SampleGame& game_;
};

transfer::SourcePeer source_peer(unsigned n) {
  transfer::SourcePeer peer;
  peer.id.bytes.fill(static_cast<std::uint8_t>(n));
  peer.name = "peer" + std::to_string(n);
  peer.addresses = {net::SocketAddress::loopback(static_cast<std::uint16_t>(n))};
  return peer;
}

struct Listed final : transfer::SourceList {
  std::vector<transfer::SourcePeer> sources(const std::string&, const Digest&) const override { return peers; }
  std::vector<transfer::SourcePeer> peers;
};

struct Fixture {
  SampleGame game = test::make_game({{"big", 40 * protocol::kChunkSize}}, 1);
  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, 1ms};
  test::MemoryDisk disk;
  Transport transport{executor, game};
  runtime::Scope scope{executor, "test", runtime::CancellationToken()};
  Fixture() { disk.make_directories("/lib"); }
  /// Call it before the members that the tasks use are destroyed.
  void stop() {
    scope.request_stop();
    test::run_sync(executor, scope.join());
  }
  Behaviour& at(unsigned n) { return transport.behaviours[source_peer(n).addresses[0]]; }
};

struct Source : Fixture {
  ~Source() { stop(); }
  runtime::Channel<transfer::SourceReport> reports{executor, 1 << 10};
  std::shared_ptr<runtime::Channel<transfer::Assignment>> spans =
      std::make_shared<runtime::Channel<transfer::Assignment>>(executor, 64);
  std::optional<transfer::SourceEnded> ended;
  std::string failure;

  void start() {
    auto staging = staging::Staging::open(disk, "/lib", "game", game.version, game.document, runtime::StopFlag());
    REQUIRE(staging.has_value());
    transfer::SourceJob job(reports.sender());
    job.transport = &transport;
    job.net = &scope;
    job.workers = &workers;
    job.peer = source_peer(1);
    job.game = "game";
    job.version = game.version;
    job.document = game.document;
    job.staging = std::move(*staging);
    job.spans = spans;
    job.meters = std::make_shared<transfer::SourceMeters>();
    scope.spawn("source", run(*this, std::move(job), scope.token()));
    executor.advance(1s);
  }
  static runtime::Task<void> run(Source& self, transfer::SourceJob job, runtime::CancellationToken token) {
    try {
      self.ended = co_await transfer::run_source(std::move(job), std::move(token));
    } catch (const std::runtime_error& e) {
      self.failure = e.what();
    }
  }
};

struct Getting : Fixture {
  ~Getting() { stop(); }
  Listed listed;
  std::unique_ptr<Random> random = seeded_random(1);
  int wrong = 0;
  std::unique_ptr<transfer::Download> download;
  std::optional<transfer::DownloadOutcome> outcome;

  void start() {
    const auto bytes = protocol::encode(*game.document);
    disk.write("/lib/.peerd/staging/game/document", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    transfer::DownloadContext context;
    context.net = &scope;
    context.workers = &workers;
    context.transport = &transport;
    context.disk = &disk;
    context.sources = &listed;
    context.random = random.get();
    context.on_wrong_chunk = [this](const PeerId&) { ++wrong; };
    context.root = "/lib";
    download = std::make_unique<transfer::Download>(scope, context, "game", game.version, nullptr);
    scope.spawn("download", run(*this, scope.token()));
    executor.advance(100ms);
  }
  static runtime::Task<void> run(Getting& self, runtime::CancellationToken token) {
    self.outcome = co_await self.download->run(std::move(token));
  }
};

}  // namespace

TEST_CASE("fetch: a source ends when its channel of spans closes, although the connection is alive", "[fetch]") {
  Source source;
  source.start();
  CHECK_FALSE(source.ended);
  CHECK(source.at(1).alive == 1);
  source.spans->close();
  source.executor.advance(1s);
  REQUIRE(source.ended);
  CHECK(source.at(1).alive == 0);
}

TEST_CASE("fetch: a source ends when its connection does, even while it waits for a span", "[fetch]") {
  Source source;
  source.start();
  source.at(1).ended.set();
  source.executor.advance(1s);
  REQUIRE(source.ended);
  CHECK(source.ended->error.message == "pulled out");
}

TEST_CASE("fetch: an exception of a lane is passed on after every user of the connection has ended", "[fetch]") {
  Source source;
  source.at(1).answer = Behaviour::Answer::throws;
  source.at(1).lag = 10ms;
  transfer::Assignment assignment;
  assignment.span = {0, 1, protocol::kChunkSize};
  source.spans->sender().try_send(std::move(assignment));
  source.start();
  CHECK(source.failure == "out of luck");
  CHECK(source.at(1).alive == 0);
}

TEST_CASE("download: a source that is no longer listed is dropped at once, even if it does not answer", "[fetch]") {
  Getting getting;
  getting.at(1).answer = Behaviour::Answer::silence;
  getting.listed.peers = {source_peer(1)};
  getting.start();
  REQUIRE(getting.at(1).alive == 1);
  getting.listed.peers.clear();
  getting.download->sources_changed();
  getting.executor.advance(100ms);
  CHECK(getting.at(1).alive == 0);
  REQUIRE(getting.outcome);
  CHECK(getting.outcome->kind == transfer::DownloadOutcome::Kind::peers_gone);
}

TEST_CASE("download: all spans of a source that sends wrong bytes are taken back", "[fetch]") {
  Getting getting;
  getting.at(1).answer = Behaviour::Answer::wrong;
  getting.at(2).answer = Behaviour::Answer::silence;  // keeps the download running
  getting.listed.peers = {source_peer(1), source_peer(2)};
  getting.start();
  getting.executor.advance(1s);
  CHECK(getting.wrong >= 1);
  CHECK(getting.at(1).alive == 0);
  CHECK_FALSE(getting.outcome);
}

TEST_CASE("download: a source that refuses three spans in a row is disconnected and tried again later", "[fetch]") {
  Getting getting;
  getting.at(1).answer = Behaviour::Answer::refuse;
  getting.listed.peers = {source_peer(1)};
  getting.start();
  CHECK(getting.at(1).alive == 0);
  CHECK(getting.at(1).dials == 1);
  CHECK(getting.at(1).requests < 20);
  getting.at(1).answer = Behaviour::Answer::right;
  getting.executor.advance(5s);
  CHECK(getting.at(1).dials == 2);
  REQUIRE(getting.outcome);
  CHECK(getting.outcome->kind == transfer::DownloadOutcome::Kind::finished);
  CHECK(getting.game.is_at(getting.disk, "/lib/game"));
}
