// connect and disconnect: correct and mistyped addresses, and undoing a connect.
#include <catch2/catch_test_macros.hpp>

#include "scenario.h"
#include "support/node/stranger.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

std::vector<api::PeerInfo> peers_of(SimPeer& peer) { return peer.ask(api::ListPeers{}).value(); }

Result<api::PeerInfo> connect(SimPeer& peer, const std::string& address) {
  api::ConnectPeer command;
  command.address = address;
  return peer.ask(command);
}

Result<api::Disconnected> disconnect(SimPeer& peer, const std::string& whom) {
  return peer.ask(api::DisconnectPeer{whom});
}

bool both_connected(SimPeer& a, SimPeer& b) {
  return a.ask(api::GetStatus{})->peers == 1 && b.ask(api::GetStatus{})->peers == 1;
}

}  // namespace

TEST_CASE("connect to a name that cannot be resolved fails at once, and nothing is dialed later") {
  SimWorld world(31);
  SimPeer a(world, "a", "10.0.0.1");
  a.start({});
  const auto begin = world.executor.now();
  const auto unknown = connect(a, "nowhere.invalid");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ErrorCode::unreachable);
  CHECK(unknown.error().message.find("\"nowhere.invalid\"") != std::string::npos);
  CHECK(world.executor.now() - begin < 1s);
  CHECK(peers_of(a).empty());

  a.resolver.set_delay(1h);
  const auto late = connect(a, "hangs.invalid");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ErrorCode::unreachable);
  CHECK(peers_of(a).empty());

  const auto bad = connect(a, "http://x");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == ErrorCode::invalid);
  CHECK(peers_of(a).empty());
}

TEST_CASE("an address is never resolved as a name") {
  SimWorld world(32);
  SimPeer a(world, "a", "10.0.0.1");
  a.resolver.set("known", {*net::SocketAddress::parse("10.0.0.9:1")});
  SimPeer::Options options;
  options.peers = {"unknown", "known", "10.0.0.8", "[fd00::1]:5"};
  a.start(options);
  world.executor.advance(1s);
  std::map<std::string, std::vector<std::string>> addresses;
  for (const auto& peer : peers_of(a)) addresses[peer.name] = peer.addresses;
  CHECK(addresses == std::map<std::string, std::vector<std::string>>{{"unknown", {}},
                                                                     {"known", {"10.0.0.9:24747"}},
                                                                     {"10.0.0.8", {"10.0.0.8:24747"}},
                                                                     {"[fd00::1]:5", {"[fd00::1]:5"}}});
}

TEST_CASE("disconnect undoes a mistyped connect: the address is not dialed again, even if a peer appears there") {
  SimWorld world(33);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  a.start({});
  const auto unanswered = connect(a, "10.0.0.2");
  REQUIRE_FALSE(unanswered);
  CHECK(unanswered.error().code == ErrorCode::unreachable);
  CHECK(unanswered.error().message.find("peerctl disconnect 10.0.0.2") != std::string::npos);
  REQUIRE(peers_of(a).size() == 1);
  CHECK(peers_of(a)[0].name == "10.0.0.2");
  CHECK_FALSE(peers_of(a)[0].id);

  const auto undone = disconnect(a, "10.0.0.2:24747");  // the same place
  REQUIRE(undone);
  CHECK(undone->dropped);
  CHECK_FALSE(undone->connected);
  CHECK(undone->note.empty());
  CHECK(peers_of(a).empty());
  b.start({});
  world.executor.advance(10min);
  CHECK(a.count("PeerConnected") == 0);
  const auto again = disconnect(a, "10.0.0.2");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ErrorCode::invalid);
  REQUIRE(connect(a, "10.0.0.2"));
  CHECK(a.count("PeerConnected") == 1);
}

TEST_CASE("a peer that connect reached stays disconnected after disconnect, by its name or its address") {
  for (const char* whom : {"b", "10.0.0.2", "10.0.0.2:24747"}) {
    INFO(whom);
    SimWorld world(34);
    SimPeer a(world, "a", "10.0.0.1");
    SimPeer b(world, "b", "10.0.0.2");
    b.start({});
    a.start({});
    REQUIRE(connect(a, "10.0.0.2"));
    const auto end = disconnect(a, whom);
    REQUIRE(end);
    CHECK(end->connected);
    CHECK(end->dropped);
    CHECK(end->note.empty());
    world.executor.advance(10min);
    CHECK(a.count("PeerConnected") == 1);
    CHECK(b.count("PeerGoodbye") == 1);
  }
}

TEST_CASE("a disconnect during a dial makes connect fail with that reason, and no session opens") {
  SimWorld world(35);
  LinkConditions slow;
  slow.delay = 300ms;
  world.network.set_conditions(slow);
  for (const runtime::Duration after : {100ms, 500ms, 800ms}) {
    INFO(after / 1ms << " ms");
    SimPeer a(world, "a", "10.0.0.1");
    SimPeer b(world, "b", "10.0.0.2");
    b.start({});
    a.start({});
    std::optional<Result<api::PeerInfo>> answer;
    api::ConnectPeer command;
    command.address = "10.0.0.2";
    a.handle().sender().send(command, [&](auto reply) { answer = std::move(reply); });
    world.executor.advance(after);
    REQUIRE_FALSE(answer);
    const auto end = disconnect(a, "10.0.0.2");
    REQUIRE(end);
    CHECK(end->dropped);
    REQUIRE(world.run_until([&] { return answer.has_value(); }, 10s));
    REQUIRE_FALSE(answer->has_value());
    CHECK(answer->error().code == ErrorCode::cancelled);
    world.executor.advance(5min);
    CHECK(a.count("PeerConnected") == 0);
    CHECK(peers_of(a).empty());
  }
}

TEST_CASE("disconnect of a configured peer ends its session and says that the peer is dialed again") {
  SimWorld world(36);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  a.start(knowing("10.0.0.2"));
  world.executor.advance(1s);
  const auto idle = disconnect(a, "10.0.0.2");
  REQUIRE_FALSE(idle);
  CHECK(idle.error().code == ErrorCode::invalid);
  CHECK(idle.error().message.find("network.peers") != std::string::npos);
  CHECK(peers_of(a).size() == 1);
  b.start({});
  // A connect to the same peer does not change that.
  REQUIRE(connect(a, b.address));
  const auto end = disconnect(a, "b");
  REQUIRE(end);
  CHECK(end->connected);
  CHECK_FALSE(end->dropped);
  CHECK(end->note.find("network.peers") != std::string::npos);
  REQUIRE(world.run_until([&] { return a.count("PeerConnected") == 2; }, 2s));
}

TEST_CASE("a configured peer reconnects within seconds, however often either side disconnects it") {
  for (const bool by_dialler : {true, false}) {
    for (const runtime::Duration between : {0s, 2s, 10s}) {
      INFO((by_dialler ? "the side that dials disconnects, " : "the other side disconnects, ")
           << between / 1s << " s after each meeting");
      SimWorld world(40);
      SimPeer a(world, "a", "10.0.0.1");
      SimPeer b(world, "b", "10.0.0.2");
      a.start(knowing(b.address));
      world.executor.advance(5min);  // after so long the retries are far apart
      b.start({});
      REQUIRE(world.run_until([&] { return both_connected(a, b); }, 1min));
      for (int i = 0; i < 5; ++i) {
        world.executor.advance(between);
        const auto end = by_dialler ? disconnect(a, "b") : disconnect(b, "a");
        REQUIRE(end);
        world.executor.advance(100ms);
        CHECK_FALSE(both_connected(a, b));
        // A peer that keeps saying goodbye at once is dialed less often: no user does that.
        const runtime::Duration limit = by_dialler || between > 5s ? 2s : 1min;
        REQUIRE(world.run_until([&] { return both_connected(a, b); }, limit));
      }
    }
  }
}

TEST_CASE("the loss of a long session resets the dial back-off instead of counting as one more failure") {
  SimWorld world(41);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  a.start(knowing(b.address));
  world.executor.advance(5min);
  b.start({});
  REQUIRE(world.run_until([&] { return both_connected(a, b); }, 1min));
  world.executor.advance(6s);
  b.stop();
  b.start({});
  REQUIRE(world.run_until([&] { return both_connected(a, b); }, 3s));
}

TEST_CASE("a connect to the daemon's own address leaves nothing to dial") {
  SimWorld world(37);
  SimPeer a(world, "a", "10.0.0.1");
  a.start({});
  REQUIRE_FALSE(connect(a, a.address));
  world.executor.advance(1min);
  const auto again = disconnect(a, a.address);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ErrorCode::invalid);
}

TEST_CASE("a command that needs the peer id fails with that reason for a static peer that has not answered yet") {
  SimWorld world(38);
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  make_small_game(b.disk, "/library/game", 10'000);
  a.resolver.set("den", {*net::SocketAddress::parse(b.address)});
  SimPeer::Options options = knowing("den");
  options.access.mode = access::AccessMode::open;
  a.start(options);
  world.executor.advance(1s);
  const auto check = [](const Error& error, ErrorCode code) {
    CHECK(error.code == code);
    CHECK(error.message.find("\"den\" has not answered yet: its peer id is not known") != std::string::npos);
  };
  check(a.ask(api::BanPeer{"den"}).error(), ErrorCode::unreachable);
  check(a.ask(api::PairPeer{"den"}).error(), ErrorCode::unreachable);
  api::StartDownload download = download_of("game");
  download.from = {"den"};
  check(a.ask(download).error(), ErrorCode::unavailable);

  // After it has answered, its address can be used instead of the id.
  b.start({});
  REQUIRE(connect(a, "den"));
  REQUIRE(sees(world, a, 1));
  CHECK(a.ask(download));
  CHECK(a.ask(api::PairPeer{"den"}).value().id == b.id());
  CHECK(a.ask(api::UnpairPeer{"den"}).value().id == b.id());
  CHECK(a.ask(api::BanPeer{"den"}));
  CHECK(peers_of(a).at(0).state == api::PeerState::banned);
  CHECK(a.ask(api::UnbanPeer{"den"}));
  REQUIRE(world.run_until([&] { return a.count("PeerConnected") == 2; }, 2s));
}

TEST_CASE("show prints where a game under download will be and how many files it has, or nothing if that is unknown") {
  SimWorld world(39);
  world.network.set_conditions(slow_link());
  SimPeer a(world, "a", "10.0.0.1");
  SimPeer b(world, "b", "10.0.0.2");
  make_small_game(b.disk, "/library/game", 40'000'000);
  api::StartDownload download = download_of("game");
  download.wait = 1h;
  a.start(knowing(b.address));
  REQUIRE(a.ask(download));
  CHECK(a.ask(api::ListGames{}).value().empty());  // nothing is known about it yet
  b.start({});
  REQUIRE(world.run_until([&] { return a.count("DownloadGameFilesBegin") == 1; }, 1min));
  world.executor.advance(2s);
  auto games = a.ask(api::ListGames{}).value();
  REQUIRE(games.size() == 1);
  REQUIRE(games[0].local != nullptr);
  CHECK(games[0].local->state == library::GameState::downloading);
  CHECK(games[0].local->root == "/library");
  CHECK(games[0].local->files == 6);
  CHECK(games[0].local->size == games[0].remote.at(0).size);
}

TEST_CASE(
    "connect: a peer that accepts no connections yet, for example while it starts, is unreachable and dialed again "
    "soon") {
  SimWorld world(700);
  const Stranger silent(world, "10.0.0.9");  // it has an endpoint but does not serve
  SimPeer peer(world, "peer", "10.0.0.1");
  peer.start(knowing("10.0.0.9:24747"));
  const auto state = [&] { return peer.ask(api::ListPeers{})->at(0).state; };
  REQUIRE(world.run_until([&] { return state() != api::PeerState::connecting; }, 10s));
  CHECK(state() == api::PeerState::unreachable);
}
