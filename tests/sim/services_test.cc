// Services, their policies, and the end of a runtime.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"
#include "support/node/stranger.h"
#include "support/run_task.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const api::ServiceStatus& service(const api::Status& status, const std::string& name) {
  for (const auto& each : status.services) {
    if (each.name == name) return each;
  }
  FAIL("no service " << name);
  return status.services.front();
}

void check_clean(SimWorld& world, SimPeer& peer) {
  REQUIRE(world.run_until([&] { return peer.stopped(); }, 3s));
  CHECK(peer.exit().overran.empty());
  peer.stop();
  CHECK(peer.tasks() == 0);
  CHECK(peer.workers_idle());
  CHECK(peer.disk.open_files() == 0);
  CHECK(peer.disk.open_directories() == 0);
}

}  // namespace

TEST_CASE("a command sent right after the start is answered when the library has been listed") {
  SimWorld world(1);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/library/game", 100'000);
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  const auto games = peer.ask(api::ListGames{});
  REQUIRE(games.has_value());
  REQUIRE(games->size() == 1);
  CHECK(games->front().id == "game");
  peer.request_shutdown();
  check_clean(world, peer);
}

TEST_CASE("a daemon that stops before its library is listed answers pending commands") {
  SimWorld world(1);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  std::optional<ErrorCode> answer;
  peer.handle().sender().send(api::ListGames{},
                              [&](const auto& games) { answer = games ? ErrorCode::internal : games.error().code; });
  peer.request_shutdown();
  check_clean(world, peer);
  CHECK(answer == ErrorCode::cancelled);
}

TEST_CASE("wait_stopped returns after a shutdown, and nothing is left behind") {
  SimWorld world(1);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  const auto status = peer.ask(api::GetStatus{});
  REQUIRE(status.has_value());
  for (const auto& each : status->services) CHECK(each.state == "running");
  CHECK(service(*status, "QuicServer").policy == "required");
  CHECK(service(*status, "Discovery").policy == "restart");
  CHECK(service(*status, "Liveness").policy == "restart");
  CHECK(service(*status, "LocalMonitor").policy == "best-effort");
  const auto tasks = peer.ask(api::ListTasks{});
  REQUIRE(tasks.has_value());
  CHECK(tasks->size() == status->tasks);
  peer.request_shutdown();
  check_clean(world, peer);
  CHECK_FALSE(peer.exit().failed);
  CHECK(peer.count("ShuttingDown") == 1);
  CHECK(peer.count("RuntimeFailed") == 0);
  CHECK(world.executor.timers() == 0);
}

TEST_CASE("a runtime that is stopped before it has started stops") {
  SimWorld world(2);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  peer.request_shutdown();
  check_clean(world, peer);
  CHECK(peer.count("RuntimeReady") == 0);
}

TEST_CASE("a command to a stopped runtime is refused or answered with an error") {
  SimWorld world(3);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  std::optional<ErrorCode> answer;
  const api::CommandSender sender = peer.handle().sender();
  api::ConnectPeer connect;
  connect.address = "10.0.0.9";
  sender.send(connect, [&](Result<api::PeerInfo> reply) { answer = reply ? ErrorCode::internal : reply.error().code; });
  world.executor.advance(10ms);
  CHECK_FALSE(answer);
  peer.request_shutdown();
  check_clean(world, peer);
  CHECK(answer == ErrorCode::cancelled);
  CHECK_FALSE(sender.send(api::GetStatus{}, [](Result<api::Status>) { FAIL("no answer comes"); }));
}

TEST_CASE("the close of the command channel is a failure, unless the runtime is stopping") {
  SimWorld world(4);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  std::optional<api::CommandSender> sender = peer.handle().sender();
  SECTION("without shutdown") {
    peer.drop_handle();
    world.executor.advance(1s);
    CHECK_FALSE(peer.stopped());  // a sender is still open
    sender.reset();
    check_clean(world, peer);
    CHECK(peer.exit().failed);
    CHECK(peer.count("RuntimeFailed") == 1);
  }
  SECTION("after shutdown") {
    peer.request_shutdown();
    peer.drop_handle();
    sender.reset();
    check_clean(world, peer);
    CHECK_FALSE(peer.exit().failed);
    CHECK(peer.count("RuntimeFailed") == 0);
  }
}

#if PEERD_TEST_HOOKS

namespace {
bool fail_service(SimPeer& peer, const std::string& name, api::ServiceFault how) {
  api::FailService command;
  command.service = name;
  command.how = how;
  return peer.ask(command).has_value();
}
}  // namespace

TEST_CASE("a failed Required service ends the runtime, which says goodbye to inbound and outbound peers") {
  for (const auto how : {api::ServiceFault::throws, api::ServiceFault::ends}) {
    SimWorld world(5);
    SimPeer failing(world, "failing", "10.0.0.1");
    SimPeer inbound(world, "inbound", "10.0.0.2");
    SimPeer outbound(world, "outbound", "10.0.0.3");
    outbound.start({});
    failing.start(knowing(outbound.address));
    inbound.start(knowing(failing.address));
    REQUIRE(world.run_until([&] { return failing.count("PeerConnected") == 2; }, 10s));
    CHECK(fail_service(failing, "QuicServer", how));
    check_clean(world, failing);
    CHECK(failing.exit().failed);
    CHECK(failing.count("RuntimeFailed") == 1);
    CHECK(failing.count("ShuttingDown") == 1);
    world.executor.advance(1s);
    for (SimPeer* other : {&inbound, &outbound}) {
      CHECK(other->count("PeerGoodbye") == 1);
      CHECK(other->count("PeerLost") == 0);
    }
  }
}

TEST_CASE("a Required service that hangs is named when the shutdown time is over, and the goodbyes are sent") {
  SimWorld world(6);
  SimPeer failing(world, "failing", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  failing.start({});
  other.start(knowing(failing.address));
  REQUIRE(world.run_until([&] { return failing.count("PeerConnected") == 1; }, 10s));
  CHECK(fail_service(failing, "QuicServer", api::ServiceFault::hangs));
  world.executor.advance(10s);
  CHECK(failing.count("RuntimeFailed") == 0);
  failing.request_shutdown();
  REQUIRE(world.run_until([&] { return failing.stopped(); }, 2100ms));
  CHECK_FALSE(failing.exit().failed);
  REQUIRE(failing.exit().overran.size() >= 1);
  bool named = false;
  for (const auto& each : failing.exit().overran) named = named || each == "required services/QuicServer";
  CHECK(named);
  CHECK(other.count("PeerGoodbye") == 1);
}

TEST_CASE("a hang beside a Required failure changes neither the exit code nor the time of the stop") {
  for (const std::string hanging : {"LocalMonitor", "Discovery", "Liveness"}) {
    SimWorld world(10);
    SimPeer failing(world, "failing", "10.0.0.1");
    SimPeer other(world, "other", "10.0.0.2");
    failing.start({});
    other.start(knowing(failing.address));
    REQUIRE(world.run_until([&] { return failing.count("PeerConnected") == 1; }, 10s));
    CHECK(fail_service(failing, hanging, api::ServiceFault::hangs));
    CHECK(fail_service(failing, "QuicServer", api::ServiceFault::throws));
    REQUIRE(world.run_until([&] { return failing.stopped(); }, 2100ms));
    CHECK(failing.exit().failed);
    CHECK(failing.count("RuntimeFailed") == 1);
    const auto& overran = failing.exit().overran;
    CHECK(std::ranges::find(overran, "services/" + hanging) != overran.end());
    CHECK(other.count("PeerGoodbye") == 1);
  }
}

TEST_CASE("after QuicServer has ended, new requests get 503 until the stop is complete") {
  for (const bool by_failure : {true, false}) {
    INFO((by_failure ? "QuicServer fails" : "a stop is requested"));
    SimWorld world(13);
    SimPeer peer(world, "peer", "10.0.0.1");
    SimPeer::Options options;
    options.shutdown_timeout = 20s;
    peer.start(options);
    REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
    Stranger stranger(world, "10.0.0.9");
    net::Link& link = stranger.dial(peer.address);
    CHECK(stranger.ask(link, "GET", "/v1/peer").status == 200);
    CHECK(fail_service(peer, "LocalMonitor", api::ServiceFault::hangs));
    world.executor.advance(100ms);
    if (by_failure) {
      CHECK(fail_service(peer, "QuicServer", api::ServiceFault::throws));
    } else {
      peer.request_shutdown();
    }
    world.executor.advance(10s);
    CHECK_FALSE(peer.stopped());  // it waits for the service that hangs
    CHECK(stranger.ask(link, "GET", "/v1/peer").status == 503);
    CHECK(stranger.ask(link, "GET", "/v1/library").status == 503);
  }
}

TEST_CASE("no commands are accepted during a stop that hangs") {
  SimWorld world(14);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer::Options options;
  options.shutdown_timeout = 20s;
  peer.start(options);
  REQUIRE(world.run_until([&] { return peer.count("RuntimeReady") == 1; }, 5s));
  const api::CommandSender sender = peer.handle().sender();
  CHECK(fail_service(peer, "LocalMonitor", api::ServiceFault::hangs));
  world.executor.advance(100ms);
  peer.request_shutdown();
  world.executor.advance(1s);
  CHECK_FALSE(peer.stopped());
  CHECK_FALSE(sender.send(api::GetStatus{}, [](const auto&) { FAIL("no answer comes"); }));
}

TEST_CASE("an exception in the command loop is a failure with a clean end") {
  SimWorld world(15);
  SimPeer failing(world, "failing", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  failing.start({});
  other.start(knowing(failing.address));
  REQUIRE(world.run_until([&] { return failing.count("PeerConnected") == 1; }, 10s));
  CHECK(fail_service(failing, "commands", api::ServiceFault::throws));
  check_clean(world, failing);
  CHECK(failing.exit().failed);
  CHECK(std::ranges::any_of(world.trace, [](const std::string& line) {
    return line.contains("failing RuntimeFailed commands: commands: told to fail");
  }));
  CHECK(other.count("PeerGoodbye") == 1);
}

TEST_CASE("an exception in the endpoint is QuicServer's failure, with a clean end") {
  SimWorld world(11);
  SimPeer failing(world, "failing", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  failing.start({});
  other.start(knowing(failing.address));
  REQUIRE(world.run_until([&] { return failing.count("PeerConnected") == 1; }, 10s));
  CHECK(fail_service(failing, "endpoint", api::ServiceFault::throws));
  api::ConnectPeer connect;
  connect.address = "10.0.0.9";  // something for the loop to do
  failing.handle().sender().send(connect, [](const auto&) {});
  REQUIRE(world.run_until([&] { return failing.count("RuntimeFailed") == 1; }, 30s));
  check_clean(world, failing);
  CHECK(failing.exit().failed);
  CHECK(failing.count("ShuttingDown") == 1);
  CHECK(std::ranges::any_of(world.trace, [](const std::string& line) {
    return line.contains("failing RuntimeFailed QuicServer: endpoint: told to fail");
  }));
  REQUIRE(world.run_until([&] { return other.count("PeerLost") + other.count("PeerGoodbye") == 1; }, 1s));
}

TEST_CASE("the end of the inbox is a failure with a clean end") {
  SimWorld world(12);
  SimPeer failing(world, "failing", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  failing.start({});
  CHECK(fail_service(failing, "inbox", api::ServiceFault::throws));
  other.start(knowing(failing.address));
  REQUIRE(world.run_until([&] { return failing.count("RuntimeFailed") + other.count("RuntimeFailed") == 1; }, 10s));
  SimPeer& failed = failing.count("RuntimeFailed") == 1 ? failing : other;
  check_clean(world, failed);
  CHECK(failed.exit().failed);
  CHECK(std::ranges::any_of(world.trace, [](const std::string& line) {
    return line.contains("RuntimeFailed sessions: inbox: told to fail");
  }));
}

TEST_CASE("a Restart service runs again after 5 s, until shutdown is requested") {
  for (const std::string name : {"Discovery", "Liveness"}) {
    SimWorld world(7);
    SimPeer peer(world, "peer", "10.0.0.1");
    SimPeer other(world, "other", "10.0.0.2");
    other.start({});
    peer.start(knowing(other.address));
    REQUIRE(world.run_until([&] { return peer.count("PeerConnected") == 1; }, 10s));
    for (std::uint64_t round = 1; round <= 3; ++round) {
      CHECK(fail_service(peer, name, round == 2 ? api::ServiceFault::ends : api::ServiceFault::throws));
      world.executor.advance(100ms);
      CHECK(peer.count("ServiceRestarted") == round);
      const auto down = peer.ask(api::GetStatus{});
      CHECK(service(*down, name).state == "restarting");
      CHECK(service(*down, name).restarts == round);
      CHECK_FALSE(fail_service(peer, name, api::ServiceFault::throws));
      world.executor.advance(4800ms);
      CHECK(service(*peer.ask(api::GetStatus{}), name).state == "restarting");
      world.executor.advance(200ms);
      CHECK(service(*peer.ask(api::GetStatus{}), name).state == "running");
    }
    // Discovery finds its peers again; Liveness lost none.
    REQUIRE(world.run_until([&] { return peer.ask(api::GetStatus{})->peers == 1; }, 10s));
    CHECK(fail_service(peer, name, api::ServiceFault::throws));
    world.executor.advance(1s);
    peer.request_shutdown();
    check_clean(world, peer);
    CHECK(peer.count("ServiceRestarted") == 4);
    CHECK(peer.count("RuntimeFailed") == 0);
  }
}

TEST_CASE("a BestEffort service that fails affects nothing else") {
  SimWorld world(8);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  make_small_game(peer.disk, "/library/game", 300'000);
  peer.start({});
  other.start(knowing(peer.address));
  REQUIRE(world.run_until([&] { return other.count("GamesUpdated") >= 1; }, 10s));
  CHECK(fail_service(peer, "LocalMonitor", api::ServiceFault::throws));
  world.executor.advance(20s);
  CHECK(service(*peer.ask(api::GetStatus{}), "LocalMonitor").state == "failed");
  CHECK(peer.count("ServiceRestarted") == 0);
  REQUIRE(other.ask(download_of("game")).has_value());
  REQUIRE(world.run_until([&] { return terminal_events(other) == 1; }, 1min));
  CHECK(other.count("DownloadGameFilesFinished") == 1);
  peer.request_shutdown();
  check_clean(world, peer);
}

TEST_CASE("an unknown service cannot be made to fail") {
  SimWorld world(9);
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start({});
  world.executor.advance(1s);
  CHECK_FALSE(fail_service(peer, "Nonsense", api::ServiceFault::throws));
}

#endif
