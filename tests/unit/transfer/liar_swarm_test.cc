// Downloads from swarms with liars: sources that send nothing, too little, too slowly, of a wrong length, or wrong
// bytes. An honest source is never blamed, one that insists on wrong bytes always is, and the download finishes in
// bounded time.
//
// A few hundred swarms run in the suite. PEERD_SWARMS=10000 runs so many; scripts/sweep does.
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/transfer/download.h"
#include "libpeer/transfer/fetch_manifest.h"
#include "support/library/sample_game.h"
#include "support/run_task.h"

using namespace peer;
using namespace std::chrono_literals;
using test::SampleGame;

namespace {

enum class Lie {
  none,            // honest
  silent,          // no response
  silent_body,     // a head, then nothing
  slow,            // a few bytes per second
  short_body,      // the response ends before its announced length
  wrong_length,    // announces another length
  no_length,       // announces none
  huge_length,     // announces more than any manifest has
  wrong_manifest,  // right length, wrong bytes
  wrong_chunks,    // the right manifest, wrong chunks, and confirms them
  refuses_all,     // 404 for everything
  refuses_chunks,  // 404 for chunks
  no_answer,       // cannot be dialed
  count
};

std::string_view name_of(Lie lie) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(Lie::count)> kNames{
      "none",        "silent",         "silent_body",  "slow",        "short_body",     "wrong_length", "no_length",
      "huge_length", "wrong_manifest", "wrong_chunks", "refuses_all", "refuses_chunks", "no_answer"};
  return kNames[static_cast<std::size_t>(lie)];
}

struct ScriptedBody final : net::BodyReader {
  ScriptedBody(runtime::Executor& e, std::vector<std::uint8_t> b, std::uint64_t r)
      : executor(e), bytes(std::move(b)), rate(r) {}
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> into, runtime::CancellationToken token) override {
    const std::size_t count = std::min(into.size(), bytes.size() - at);
    runtime::Event never;
    if (rate == 0) co_await never.wait(token);
    const auto takes = std::chrono::nanoseconds(count * 1'000'000'000 / rate);
    co_await runtime::sleep_for(executor, takes, token);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
    at += count;
    co_return count;
  }
  void release(std::size_t) override {}
  runtime::Executor& executor;
  std::vector<std::uint8_t> bytes;
  std::size_t at = 0;
  std::uint64_t rate;
};

struct ScriptedStream final : net::ClientStream {
  ScriptedStream(runtime::Executor& executor, std::vector<std::uint8_t> body, std::uint64_t rate)
      : body_(executor, std::move(body), rate) {}
  runtime::Task<Result<net::ResponseHead>> response(runtime::CancellationToken token) override {
    runtime::Event never;
    if (silent) co_await never.wait(token);
    co_return head;
  }
  net::BodyReader& reader() override { return body_; }
  net::BodyWriter& writer() override { std::abort(); }
  net::ResponseHead head;
  bool silent = false;

 private:
  ScriptedBody body_;
};

/// What the sources of one swarm have in common.
struct SwarmGame {
  runtime::Executor& executor;
  SampleGame game;
  std::vector<std::uint8_t> manifest;
};

struct ScriptedLink final : net::Link {
  ScriptedLink(const SwarmGame& g, Lie l, const PeerId& i) : game(g), lie(l), id(i) {}
  const std::optional<PeerId>& peer() const override { return id; }
  net::SocketAddress remote_address() const override { return net::SocketAddress::loopback(1); }
  const net::ChannelBinding& channel_binding() const override { return binding; }
  runtime::Task<Result<std::unique_ptr<net::ClientStream>>> request(const net::RequestHead& head, bool,
                                                                    runtime::CancellationToken token) override {
    co_await runtime::sleep_for(game.executor, 1ms, token);
    const auto route = protocol::parse_route(head.method, head.path);
    const auto* chunks = std::get_if<protocol::ChunksRoute>(&*route);
    std::vector<std::uint8_t> body = chunks != nullptr ? game.game.bytes(chunks->first, chunks->count) : game.manifest;
    const std::size_t length = body.size();
    if (lie == Lie::short_body) body.resize(body.size() / 2);
    if (chunks != nullptr ? lie == Lie::wrong_chunks : lie == Lie::wrong_manifest) body[body.size() / 2] ^= 1;
    std::uint64_t rate = 20'000'000;
    if (lie == Lie::slow) rate = 50;
    if (lie == Lie::silent_body) rate = 0;
    auto stream = std::make_unique<ScriptedStream>(game.executor, std::move(body), rate);
    if (lie != Lie::no_length) stream->head.content_length = length;
    if (lie == Lie::wrong_length) stream->head.content_length = length + 1;
    if (lie == Lie::huge_length) stream->head.content_length = UINT64_MAX;
    stream->silent = lie == Lie::silent;
    if (lie == Lie::refuses_all || (lie == Lie::refuses_chunks && chunks != nullptr)) stream->head.status = 404;
    co_return stream;
  }
  void close(std::string_view) override {}
  runtime::Task<Error> ended(runtime::CancellationToken token) override {
    runtime::Event never;
    co_await never.wait(token);
    co_return Error{};
  }
  net::LinkStats stats() const override { return {}; }
  const SwarmGame& game;
  Lie lie;
  std::optional<PeerId> id;
  net::ChannelBinding binding;
};

struct ScriptedTransport final : net::Transport {
  explicit ScriptedTransport(const SwarmGame& g) : game(g) {}
  net::SocketAddress local_address() const override { return net::SocketAddress::loopback(1); }
  runtime::Task<Result<std::unique_ptr<net::Link>>> dial(net::SocketAddress address, std::optional<PeerId> id,
                                                         runtime::CancellationToken token) override {
    const Lie lie = lies.at(address);
    if (lie == Lie::no_answer) {
      co_await runtime::sleep_for(game.executor, net::kDialTimeout, token);
      co_return fail(ErrorCode::unreachable, "no answer");
    }
    co_return std::make_unique<ScriptedLink>(game, lie, *id);
  }
  runtime::Task<void> serve(net::RequestHandler, runtime::CancellationToken) override { co_return; }
  const SwarmGame& game;
  std::map<net::SocketAddress, Lie> lies;
};

struct SwarmSources final : transfer::SourceList {
  std::vector<transfer::SourcePeer> sources(const std::string&, const Digest&) const override { return peers; }
  std::vector<transfer::SourcePeer> peers;
};

struct LiarSwarm {
  explicit LiarSwarm(std::uint64_t seed) : random(seeded_random(seed)) {
    disk.make_directories("/lib");
    const auto encoded = protocol::encode(*game.game.document);
    game.manifest.assign(encoded.begin(), encoded.end());
  }
  ~LiarSwarm() {
    scope.request_stop();
    test::run_sync(executor, scope.join());
  }
  /// Adds a source. Lower numbers have lower ids.
  PeerId add(Lie lie) {
    const auto number = static_cast<std::uint16_t>(listed.peers.size() + 1);
    transfer::SourcePeer peer;
    peer.id.bytes.fill(static_cast<std::uint8_t>(number));
    peer.name = "peer" + std::to_string(number);
    peer.addresses = {net::SocketAddress::loopback(number)};
    transport.lies[peer.addresses[0]] = lie;
    listed.peers.push_back(peer);
    return peer.id;
  }
  /// Downloads for `limit` of virtual time at most. Returns whether it finished with the right files.
  bool download(runtime::Duration limit) {
    transfer::DownloadContext context;
    context.net = &scope;
    context.workers = &workers;
    context.transport = &transport;
    context.disk = &disk;
    context.sources = &listed;
    context.random = random.get();
    context.on_wrong_chunk = [this](const PeerId& peer) { wrong.insert(peer); };
    context.on_liar = [this](const PeerId& peer, const std::string&) {
      banned.insert(peer);
      std::erase_if(listed.peers, [&peer](const auto& each) { return each.id == peer; });
    };
    context.root = "/lib";
    transfer::Download download(scope, context, "game", game.game.version, nullptr);
    const auto outcome = test::run_sync(executor, download.run(scope.token()), limit);
    return outcome.kind == transfer::DownloadOutcome::Kind::finished && game.game.is_at(disk, "/lib/game");
  }
  runtime::Duration elapsed() const { return executor.now().time_since_epoch(); }

  runtime::ManualExecutor executor;
  runtime::ManualWorkers workers{executor, 1, 1ms};
  test::MemoryDisk disk;
  SwarmGame game{executor, test::make_game({{"a", 700'000}, {"b", 40'000}, {"c/d", 5}, {"e", 200'000}}, 1), {}};
  ScriptedTransport transport{game};
  SwarmSources listed;
  std::unique_ptr<Random> random;
  std::set<PeerId> wrong, banned;
  runtime::Scope scope{executor, "test", runtime::CancellationToken()};
};

std::uint64_t swarms() {
  const char* text = std::getenv("PEERD_SWARMS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 300;
}

}  // namespace

TEST_CASE("A source with a low id that lies does not delay a download much", "[fetch]") {
  for (int lie = 1; lie < static_cast<int>(Lie::count); ++lie) {
    INFO(name_of(static_cast<Lie>(lie)));
    LiarSwarm swarm(static_cast<std::uint64_t>(lie));
    swarm.add(static_cast<Lie>(lie));
    const PeerId honest = swarm.add(Lie::none);
    CHECK(swarm.download(2min));
    CHECK(swarm.elapsed() < 20s);
    CHECK_FALSE(swarm.wrong.contains(honest));
    CHECK_FALSE(swarm.banned.contains(honest));
  }
}

TEST_CASE("One honest source among twenty that send no manifest is found", "[fetch]") {
  for (const Lie lie : {Lie::silent, Lie::silent_body, Lie::slow, Lie::short_body, Lie::no_answer}) {
    INFO(name_of(lie));
    LiarSwarm swarm(1);
    for (int i = 0; i < 20; ++i) swarm.add(lie);
    swarm.add(Lie::none);
    CHECK(swarm.download(10min));
    CHECK(swarm.elapsed() < 2min);
  }
}

TEST_CASE("Swarms with liars deliver, ban who insists on wrong bytes, and blame nobody else", "[fetch]") {
  runtime::Duration longest{};
  std::size_t banned = 0;
  for (std::uint64_t seed = 0; seed < swarms(); ++seed) {
    INFO("seed " << seed);
    const auto choose = seeded_random(seed * 7919 + 1);
    LiarSwarm swarm(seed);
    std::set<PeerId> honest, liars;
    const std::uint64_t sources = 2 + choose->below(8);
    const std::uint64_t sure = choose->below(sources);  // at least one is honest
    for (std::uint64_t i = 0; i < sources; ++i) {
      const auto lie = i == sure ? Lie::none : static_cast<Lie>(choose->below(static_cast<std::uint64_t>(Lie::count)));
      const PeerId id = swarm.add(lie);
      if (lie == Lie::none) honest.insert(id);
      if (lie == Lie::wrong_chunks) liars.insert(id);
    }
    REQUIRE(swarm.download(10min));
    longest = std::max(longest, swarm.elapsed());
    REQUIRE(swarm.elapsed() < 1min);
    for (const PeerId& id : honest) {
      REQUIRE_FALSE(swarm.wrong.contains(id));
      REQUIRE_FALSE(swarm.banned.contains(id));
    }
    for (const PeerId& id : swarm.banned) REQUIRE(liars.contains(id));
    banned += swarm.banned.size();
  }
  CHECK(banned > swarms() / 10);
  std::printf("%llu swarms, %zu liars banned, the longest download took %.1f s of virtual time\n",
              static_cast<unsigned long long>(swarms()), banned, std::chrono::duration<double>(longest).count());
}
