// Failures of a peer's parts: a required part ends the peer and is named; failures of other parts are only reported.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <stdexcept>

#include "libpeer/base/fault.h"
#include "libpeer/protocol/routes.h"
#include "scenario.h"
#include "support/node/stranger.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;
using Judgement = api::FindingVerdict;

namespace {

bool told(const SimWorld& world, const std::string& text) {
  return std::ranges::any_of(world.trace, [&](const std::string& line) { return line.ends_with(text); });
}

bool can_connect(SimPeer& peer) { return peer.ask(api::GetStatus{})->peers == 1; }

std::size_t sessions(SimPeer& peer) {
  std::size_t count = 0;
  for (const auto& task : peer.ask(api::ListTasks{}).value()) count += task.parent.starts_with("session ") ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a peer whose endpoint cannot be created reports why, and exits as failed") {
  SimWorld world(401);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer::Options options;
  options.make_network = [](runtime::Scope&) -> std::unique_ptr<api::Network> {
    throw std::runtime_error("no certificate can be made");
  };
  peer.start(options);
  REQUIRE(world.run_until([&] { return peer.stopped(); }, 2s));
  CHECK(peer.exit().failed);
  CHECK(peer.count("RuntimeFailed") == 1);
  CHECK(told(world, "peer RuntimeFailed QuicServer: no certificate can be made"));
  peer.stop();
  CHECK(peer.tasks() == 0);
  CHECK(peer.workers_idle());
}

#if PEERD_TEST_HOOKS

TEST_CASE("an exception in the inbox or the endpoint ends the peer, which reports it as the reason") {
  for (const auto& [where, what] : {std::pair<std::string, std::string>{"inbox", "sessions: inbox: told to fail"},
                                    {"endpoint", "QuicServer: endpoint: told to fail"}}) {
    INFO(where);
    SimWorld world(402);
    SimPeer one(world, "one", "10.0.0.1");
    SimPeer two(world, "two", "10.0.0.2");
    one.start({});
    two.start(knowing(one.address));
    REQUIRE(world.run_until([&] { return can_connect(one) && can_connect(two); }, 10s));
    REQUIRE(fault::arm(where));
    REQUIRE(world.run_until([&] { return one.stopped() || two.stopped(); }, 1min));
    CHECK(fault::armed(where) == 0);
    SimPeer& failed = one.stopped() ? one : two;
    SimPeer& other = one.stopped() ? two : one;
    CHECK(failed.exit().failed);
    CHECK(failed.count("RuntimeFailed") == 1);
    CHECK(told(world, failed.name + " RuntimeFailed " + what));
    CHECK(other.count("RuntimeFailed") == 0);
    CHECK_FALSE(other.stopped());
  }
}

#endif

namespace {
/// Opens a session with a first message that no peer sends, and leaves its side open.
runtime::Task<bool> hold_on(runtime::Executor& executor, net::Link& link) {
  const runtime::CancellationToken never;
  const net::RequestHead head{"POST", protocol::format_route(protocol::SessionRoute{}), {}};
  auto opened = co_await link.request(head, true, never);
  if (!opened) co_return false;
  const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
  const auto response = co_await stream->response(never);
  if (!response || response->status != 200) co_return false;
  const std::string text = protocol::encode(protocol::SessionMessage(protocol::Ping{1}));
  auto frame = std::make_shared<std::vector<std::uint8_t>>(3, std::uint8_t{0});
  frame->push_back(static_cast<std::uint8_t>(text.size()));
  frame->insert(frame->end(), text.begin(), text.end());
  const auto written = co_await stream->writer().write(frame, never);
  if (!written) co_return false;
  co_await runtime::sleep_for(executor, 30s, never);
  co_return true;
}
runtime::Task<void> note(runtime::Task<bool> task, std::optional<bool>* out) { *out = co_await task; }
}  // namespace

TEST_CASE("a session that is closed here ends half a second later, even if the other side leaves its stream open") {
  SimWorld world(403);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  Stranger stranger(world, "10.0.0.9");
  net::Link& link = stranger.dial(peer.address);
  const runtime::CancellationSource never;
  runtime::Scope scope(world.executor, "stranger", never.token());
  std::optional<bool> held;
  scope.spawn("hold on", note(hold_on(world.executor, link), &held));
  REQUIRE(world.run_until([&] { return sessions(peer) > 0; }, 2s));
  CHECK(world.run_until([&] { return sessions(peer) == 0; }, 2s));
  CHECK_FALSE(held);
  REQUIRE(world.run_until([&] { return held.has_value(); }, 1min));
  CHECK(*held);
  run_sync(world.executor, scope.join());
}

TEST_CASE("a pairing that cannot be saved is in effect, and the error says that a restart loses it") {
  SimWorld world(404);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  SimPeer::Options options;
  options.access.mode = access::AccessMode::paired;
  peer.start(options);
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  api::PairPeer pair;
  pair.peer = other.id().hex();
  peer.fail_store(true);
  const auto unsaved = peer.ask(pair);
  REQUIRE_FALSE(unsaved.has_value());
  CHECK(unsaved.error().code == ErrorCode::disk_error);
  CHECK(unsaved.error().message.contains("the store fails on request"));
  CHECK(peer.ask(api::ListPeers{})->at(0).paired);
  api::UnpairPeer unpair;
  unpair.peer = other.id().hex();
  const auto kept = peer.ask(unpair);
  REQUIRE_FALSE(kept.has_value());
  CHECK(kept.error().code == ErrorCode::disk_error);
  peer.fail_store(false);
  CHECK(peer.ask(pair).has_value());
}

TEST_CASE("a game that cannot be removed stays, with its staging and its records") {
  SimWorld world(405);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/library/game", 100'000);
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("LocalLibraryChanged") == 1; }, 10s));
  peer.disk.on_call([](std::string_view operation, const std::string& path, std::uint64_t) {
    return operation == "rename" && path.starts_with("/library/game") ? EACCES : 0;
  });
  api::RemoveGame remove;
  remove.game = "game";
  const auto refused = peer.ask(remove);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code != ErrorCode::not_found);
  CHECK(peer.disk.exists("/library/game/big.pak"));
  const auto games = peer.ask(api::ListGames{}).value();
  REQUIRE(games.size() == 1);
  CHECK(games[0].local != nullptr);
  CHECK(peer.logged(LogLevel::info, "game is removed") == 0);
  peer.disk.on_call({});
  CHECK(peer.ask(remove).has_value());
  CHECK_FALSE(peer.disk.exists("/library/game"));
}

TEST_CASE("a download from a single peer reports why the peer is no source: it lacks the game, or is banned") {
  SimWorld world(406);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer empty(world, "empty", "10.0.0.2");
  peer.start({});
  empty.start(knowing(peer.address));
  REQUIRE(world.run_until([&] { return can_connect(peer); }, 10s));
  api::StartDownload start = download_of("game");
  start.from = {empty.id().hex()};
  CHECK(peer.ask(start).error().code == ErrorCode::not_found);
  api::BanPeer ban;
  ban.peer = empty.id().hex();
  REQUIRE(peer.ask(ban).has_value());
  const auto refused = peer.ask(start);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::refused);
  CHECK(refused.error().message.contains("banned"));
}

TEST_CASE("doctor: a socket with large buffers is good, unless the kernel cannot batch datagrams") {
  SimWorld world(407);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  const auto socket = [&] {
    const auto findings = peer.ask(api::Diagnose{}).value();
    const auto found = std::ranges::find(findings, std::string("UDP"), &api::Finding::subject);
    REQUIRE(found != findings.end());
    return *found;
  };
  CHECK(socket().verdict == Judgement::good);
  CHECK(socket().fix.empty());
  world.network.set_max_segments(1);
  CHECK(socket().verdict == Judgement::warning);
  CHECK(socket().fix.contains("Linux kernel"));
}

TEST_CASE(
    "a paused download that is resumed and cancelled in one loop turn is cancelled, even if the game is here by then") {
  SimWorld world(408);
  SimPeer seed(world, "seed", "10.0.0.1");
  SimPeer leech(world, "leech", "10.0.0.2");
  world.network.set_conditions(slow_link());
  make_dated_game(seed.disk, "/library/game", 6'000'000);
  seed.start({});
  leech.start(knowing(seed.address));
  REQUIRE(sees(world, leech, 1));
  REQUIRE(leech.ask(download_of("game")).has_value());
  world.executor.advance(500ms);
  api::PauseDownload pause;
  pause.game = "game";
  REQUIRE(leech.ask(pause).has_value());
  make_dated_game(leech.disk, "/library/game", 6'000'000);
  REQUIRE(leech.ask(api::Rescan{"game"}).has_value());
  REQUIRE(leech.ask(api::ListGames{})->at(0).local->offered != nullptr);
  api::ResumeDownload resume;
  resume.game = "game";
  api::CancelDownload cancel;
  cancel.game = "game";
  leech.handle().sender().send(resume, [](const Result<api::ResumeDownload::Reply>&) {});
  leech.handle().sender().send(cancel, [](const Result<api::CancelDownload::Reply>&) {});
  REQUIRE(world.run_until([&] { return terminal_events(leech) == 1; }, 1min));
  CHECK(leech.count("DownloadGameFilesCancelled") == 1);
  CHECK_FALSE(leech.disk.exists("/library/.peerd/staging/game"));
  CHECK(leech.disk.exists("/library/game/big.pak"));
}

TEST_CASE("commands sent in the same loop turn as the stop, or during it, are answered") {
  SimWorld world(409);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  peer.start({});
  other.start(knowing(peer.address));
  REQUIRE(world.run_until([&] { return can_connect(peer); }, 10s));
  world.network.cut(*net::SocketAddress::parse(other.address));  // the goodbye takes a while
  const api::CommandSender sender = peer.handle().sender();
  std::vector<ErrorCode> answers;
  const auto ask = [&] {
    return sender.send(api::GetStatus{}, [&](const Result<api::Status>& status) {
      answers.push_back(status ? ErrorCode::internal : status.error().code);
    });
  };
  peer.request_shutdown();
  const bool taken = ask();
  world.executor.advance(10ms);
  CHECK_FALSE(peer.stopped());
  CHECK(answers == std::vector<ErrorCode>(taken ? 1 : 0, ErrorCode::cancelled));
  CHECK_FALSE(ask());
  REQUIRE(world.run_until([&] { return peer.stopped(); }, 3s));
  CHECK(answers.size() == (taken ? 1 : 0));
}
