// What a stranger learns about a peer that is not in open mode, and why it cannot use the proofs of others.
#include "support/node/stranger.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/protocol/routes.h"
#include "libpeer/runtime/sleep.h"
#include "scenario.h"
#include "support/discovery/fake_discovery.h"
#include "support/node/raw_peer.h"

using namespace peer;
using namespace peer::test;
using namespace std::chrono_literals;

namespace {

const std::string kKey = "000102030405060708090a0b0c0d0e0f";
const std::string kProof(protocol::kProofField);

SimPeer::Options closed(access::AccessMode mode, std::vector<std::string> peers = {}) {
  SimPeer::Options options;
  options.peers = std::move(peers);
  options.access.mode = mode;
  if (mode == access::AccessMode::party) options.access.secret = *access::PartySecret::parse(kKey);
  return options;
}
SimPeer::Options in_party(std::vector<std::string> peers = {}) {
  return closed(access::AccessMode::party, std::move(peers));
}

void pair(SimPeer& here, const PeerId& other) {
  api::PairPeer command;
  command.peer = other.hex();
  REQUIRE(here.ask(command).has_value());
}

bool connected(SimPeer& peer, const PeerId& other) {
  for (const auto& each : peer.ask(api::ListPeers{}).value()) {
    if (each.id == other) return each.state == api::PeerState::connected;
  }
  return false;
}

/// Checks that a text contains nothing that a stranger must not learn: no names, ids, games or addresses.
void check_silent(const std::string& text, const SimPeer& peer, const SimPeer& friendly) {
  for (const std::string& secret : {peer.name, friendly.name, friendly.id().hex(), friendly.id().brief(),
                                    peer.id().hex(), std::string("treasure"), std::string("10.0.0.")}) {
    CAPTURE(secret, text);
    CHECK_FALSE(text.contains(secret));
  }
}

}  // namespace

TEST_CASE("stranger: every request gets the same answer, which reveals nothing") {
  const auto mode = GENERATE(access::AccessMode::party, access::AccessMode::paired);
  const bool certificate = GENERATE(true, false);
  CAPTURE(to_string(mode), certificate);
  SimWorld world(311);
  SimPeer peer(world, "hidden-name", "10.0.0.1");
  SimPeer friendly(world, "friend-name", "10.0.0.2");
  make_small_game(peer.disk, "/library/treasure", 100'000);
  peer.start(closed(mode));
  friendly.start(closed(mode, {peer.address}));
  if (mode == access::AccessMode::paired) {
    pair(peer, friendly.id());
    pair(friendly, peer.id());
  }
  REQUIRE(sees(world, friendly, 1));
  const std::string version = friendly.ask(api::ListGames{}).value()[0].remote[0].version.hex();

  Stranger stranger(world, "10.0.0.9", certificate);
  net::Link& link = stranger.dial(peer.address);
  const std::string game = "/v1/games/treasure";
  const Stranger::Answer first = stranger.ask(link, "GET", "/v1/nonsense");
  CHECK(first.status == 403);
  CHECK(first.body.starts_with("{\"error\":{\"code\":\"refused\""));
  for (const std::string& path :
       {std::string("/v1/peer"), std::string("/v1/library"), game + "/manifest", game + "/manifest?version=" + version,
        game + "/files/big.pak", game + "/files/none", game + "/chunks?version=" + version + "&first=0&count=1",
        std::string("/v1/games/nothing/manifest"), std::string("/v1/games/%zz/manifest"), std::string("/v1/session"),
        std::string("/v1/proof"), std::string("/"), std::string(3000, '/')}) {
    for (const char* method : {"GET", "HEAD", "POST", "DELETE"}) {
      CAPTURE(method, path);
      const Stranger::Answer answer = stranger.ask(link, method, path);
      CHECK(answer.status == 403);
      CHECK(answer.body == (std::string_view(method) == "HEAD" ? "" : first.body));
      CHECK(answer.fields.size() == first.fields.size());
      for (const net::Field& field : answer.fields) check_silent(field.name + ": " + field.value, peer, friendly);
      check_silent(answer.body, peer, friendly);
    }
  }
  for (const std::string& proof : {std::string(64, 'a'), std::string("x"), std::string()}) {
    CHECK(stranger.ask(link, "POST", "/v1/proof", {{kProof, proof}}).status == 403);
  }
  world.executor.advance(1s);
  CHECK(connected(peer, friendly.id()));
  CHECK_FALSE(connected(peer, stranger.id()));
  std::size_t listed = 0;
  for (const auto& each : peer.ask(api::ListPeers{}).value()) listed += each.id == stranger.id() ? 1 : 0;
  CHECK(listed == (certificate ? 1 : 0));
  for (const auto& each : friendly.ask(api::ListPeers{}).value()) CHECK(each.id != stranger.id());
}

TEST_CASE("stranger: mDNS reveals an id and a port, and nothing else") {
  const auto mode = GENERATE(access::AccessMode::party, access::AccessMode::paired);
  SimWorld world(312);
  FakeDiscovery discovery;
  SimPeer peer(world, "hidden-name", "10.0.0.1");
  SimPeer other(world, "other", "10.0.0.2");
  make_small_game(peer.disk, "/library/treasure", 100'000);
  SimPeer::Options options = closed(mode);
  options.discovery = &discovery;
  peer.start(options);
  other.start(closed(mode));
  REQUIRE(world.run_until([&] { return discovery.running() && peer.count("LocalLibraryChanged") > 0; }, 5s));
  world.executor.advance(1s);
  CHECK(discovery.record.id == peer.id());
  CHECK(discovery.record.name == peer.id().brief());
  CHECK(discovery.record.revision == 0);

  // A record with another id than that of the peer that answers leads to no connection; the id in it can be paired.
  discovery::Record forged{other.id(), "forged", 1, 0};
  forged.id.bytes[0] ^= 1;
  discovery.find(forged, {*net::SocketAddress::parse(other.address)});
  const PeerId claimed = forged.id;
  if (mode == access::AccessMode::paired) {
    REQUIRE(world.run_until(
        [&] {
          const auto list = peer.ask(api::ListPeers{}).value();
          return list.size() == 1 && list[0].id == claimed && list[0].state == api::PeerState::refused;
        },
        5s));
    pair(peer, claimed);
  }
  world.executor.advance(30s);
  CHECK(peer.count("PeerConnected") == 0);
  CHECK(other.count("PeerConnected") == 0);
  discovery.lose(claimed);
  discovery.find({other.id(), other.id().brief(), 1, 0}, {*net::SocketAddress::parse(other.address)});
  world.executor.advance(5s);
  if (mode == access::AccessMode::paired) {
    CHECK(peer.count("PeerConnected") == 0);
    pair(other, peer.id());
    pair(peer, other.id());
  }
  CHECK(world.run_until([&] { return connected(peer, other.id()); }, 5s));
}

TEST_CASE("stranger: a correct proof admits its own connection, and a replay admits no other") {
  SimWorld world(313);
  SimPeer peer(world, "peer", "10.0.0.1");
  make_small_game(peer.disk, "/library/treasure", 100'000);
  peer.start(in_party());
  Stranger member(world, "10.0.0.2");
  const access::PartySecret secret = *access::PartySecret::parse(kKey);
  net::Link& one = member.dial(peer.address);
  net::Link& two = member.dial(peer.address);
  const std::string proof = secret.prove(access::Role::client, member.id(), peer.id(), one.channel_binding()).hex();
  // The proof for the other role is not valid.
  const std::string swapped = secret.prove(access::Role::server, member.id(), peer.id(), one.channel_binding()).hex();
  CHECK(member.ask(one, "POST", "/v1/proof", {{kProof, swapped}}).status == 403);
  const auto answer = member.ask(one, "POST", "/v1/proof", {{kProof, proof}});
  CHECK(answer.status == 200);
  CHECK(answer.field(kProof) ==
        secret.prove(access::Role::server, member.id(), peer.id(), one.channel_binding()).hex());
  CHECK(member.ask(one, "GET", "/v1/library").status == 200);
  CHECK(member.ask(two, "POST", "/v1/proof", {{kProof, proof}}).status == 403);
  CHECK(member.ask(two, "POST", "/v1/proof", {{kProof, answer.field(kProof)}}).status == 403);
  CHECK(member.ask(two, "GET", "/v1/library").status == 403);
  // A client without a certificate has no id that a proof could be for.
  Stranger nobody(world, "10.0.0.3", false);
  net::Link& bare = nobody.dial(peer.address);
  const std::string anonymous = secret.prove(access::Role::client, PeerId{}, peer.id(), bare.channel_binding()).hex();
  CHECK(nobody.ask(bare, "POST", "/v1/proof", {{kProof, anonymous}}).status == 403);
}

TEST_CASE("stranger: a man in the middle can neither relay a proof nor reflect it") {
  SimWorld world(314);
  SimPeer victim(world, "victim", "10.0.0.1");
  SimPeer member(world, "member", "10.0.0.2");
  make_small_game(victim.disk, "/library/treasure", 100'000);
  victim.start(in_party());
  Stranger middle(world, "10.0.0.3");
  std::vector<std::string> heard;
  std::size_t others = 0;
  bool reflect = false;
  middle.serve([&](const net::ServerStream& stream) {
    net::ResponseHead head;
    for (const net::Field& field : stream.request().fields) {
      if (field.name != kProof) continue;
      heard.push_back(field.value);
      if (reflect) head.fields.push_back(field);
    }
    if (stream.request().path != "/v1/proof") ++others;
    return head;
  });
  member.start(in_party({middle.address}));
  REQUIRE(world.run_until([&] { return !heard.empty(); }, 10s));
  // Relayed to another peer of the party, and reflected to its sender.
  for (const std::string& target : {victim.address, member.address}) {
    net::Link& link = middle.dial(target);
    CHECK(middle.ask(link, "POST", "/v1/proof", {{kProof, heard.front()}}).status == 403);
    CHECK(middle.ask(link, "GET", "/v1/library").status == 403);
  }
  // As the answer to the same proof.
  reflect = true;
  api::ConnectPeer connect;
  connect.address = middle.address;
  CHECK(member.ask(connect).error().code == ErrorCode::refused);
  CHECK(heard.size() >= 2);
  CHECK(heard.front() != heard.back());
  CHECK(others == 0);  // it received no other request
  CHECK(member.count("PeerConnected") == 0);
  CHECK(victim.count("PeerConnected") == 0);
}

namespace {
/// Opens a session, sends the frames unchanged, and waits. Returns whether the session is still open.
runtime::Task<bool> survives(runtime::Executor& executor, net::Link& link, std::vector<std::string> frames) {
  const runtime::CancellationToken never;
  const net::RequestHead head{"POST", protocol::format_route(protocol::SessionRoute{}), {}};
  auto opened = co_await link.request(head, true, never);
  if (!opened) co_return false;
  const std::unique_ptr<net::ClientStream> stream = std::move(*opened);
  const auto response = co_await stream->response(never);
  if (!response || response->status != 200) co_return false;
  for (const std::string& text : frames) {
    auto frame = std::make_shared<std::vector<std::uint8_t>>();
    for (int shift = 24; shift >= 0; shift -= 8) frame->push_back(static_cast<std::uint8_t>(text.size() >> shift));
    frame->insert(frame->end(), text.begin(), text.end());
    const auto written = co_await stream->writer().write(frame, never);
    if (!written) co_return false;
  }
  std::vector<std::uint8_t> rest(1 << 20);  // more than the peer sends: read to the end
  auto read = [&stream, &rest](runtime::CancellationToken t) { return stream->reader().read(rest, std::move(t)); };
  const auto ended = co_await runtime::with_timeout(executor, 2s, std::move(read), never);
  co_return !ended;
}

/// A message of a later protocol version, which is ignored whatever it contains.
std::string unknown_message(std::size_t bytes, const std::string& element = "{}") {
  std::string text = R"({"type":"z","x":[)" + element;
  while (text.size() + element.size() + 3 <= bytes) text += "," + element;
  return text + std::string(bytes - text.size() - 2, ' ') + "]}";
}
}  // namespace

TEST_CASE(
    "stranger: a frame above 4 KiB before Hello ends the session, and so does one with too many values at any time") {
  SimWorld world(316);
  SimPeer peer(world, "peer", "10.0.0.1");
  SimPeer friendly(world, "friend", "10.0.0.2");
  peer.start(SimPeer::Options());
  friendly.start(knowing(peer.address));
  REQUIRE(world.run_until([&] { return connected(peer, friendly.id()); }, 5s));
  const auto lives = [&](std::vector<std::string> frames) {
    static int number = 10;
    Stranger stranger(world, "10.0.0." + std::to_string(number++));
    protocol::Hello hello;
    hello.id = stranger.id();
    hello.name = "stranger";
    hello.instance = "1";
    hello.revision = 1;
    hello.digest = protocol::library_digest({});
    for (std::string& frame : frames) {
      if (frame == "hello") frame = encode(protocol::SessionMessage(hello));
    }
    return run_sync(world.executor, survives(world.executor, stranger.dial(peer.address), std::move(frames)));
  };
  CHECK(lives({"hello"}));
  CHECK(lives({unknown_message(protocol::kMaxFrameBytesBeforeHello), "hello"}));
  CHECK_FALSE(lives({unknown_message(protocol::kMaxFrameBytesBeforeHello + 1), "hello"}));
  CHECK_FALSE(lives({unknown_message(240'000)}));
  CHECK_FALSE(lives({"hello", ""}));  // a frame without a payload
  CHECK(lives({"hello", unknown_message(80'000)}));
  CHECK(lives({"hello", unknown_message(protocol::kMaxFrameBytes, '"' + std::string(1000, 'x') + '"')}));
  CHECK_FALSE(lives({"hello", unknown_message(240'000)}));
  CHECK_FALSE(lives({"hello", unknown_message(protocol::kMaxFrameBytes)}));
  CHECK(connected(peer, friendly.id()));
}

TEST_CASE("stranger: a stop after any step of connecting, being refused, pairing and fetching leaves nothing behind") {
  const auto mode = GENERATE(access::AccessMode::party, access::AccessMode::paired);
  constexpr std::uint64_t kRuns = 40;
  std::uint64_t length = 0;
  for (std::uint64_t run = 0; run <= kRuns; ++run) {
    SimWorld world(315);
    SimPeer one(world, "one", "10.0.0.1");
    SimPeer two(world, "two", "10.0.0.2");
    SimPeer open(world, "open", "10.0.0.3");
    make_small_game(one.disk, "/library/treasure", 200'000);
    one.start(closed(mode));
    two.start(closed(mode, {one.address}));
    open.start(knowing(one.address));
    api::PairPeer command;
    const std::uint64_t stop_at = run == 0 ? UINT64_MAX : run * length / kRuns;
    int stage = 0;
    for (std::uint64_t step = 0; step < stop_at; ++step) {
      if (stage == 0 && world.executor.now().time_since_epoch() > 100ms) {
        command.peer = one.id().hex();
        two.handle().sender().send(command, [](const Result<api::Pairing>&) {});
        command.peer = two.id().hex();
        one.handle().sender().send(command, [](const Result<api::Pairing>&) {});
        stage = 1;
      }
      if (stage == 1 && two.count("GamesUpdated") > 0) {
        two.handle().sender().send(download_of("treasure"), [](const Result<api::DownloadInfo>&) {});
        stage = 2;
      }
      if (two.count("DownloadGameFilesFinished") > 0) {
        if (run == 0) length = step;
        break;
      }
      REQUIRE(step < 10'000'000);
      if (!world.executor.step()) REQUIRE(world.executor.advance_to_next_timer());
    }
    INFO("stopped after step " << stop_at << " of " << length);
    for (SimPeer* peer : {&one, &two, &open}) peer->request_shutdown();
    for (SimPeer* peer : {&one, &two, &open}) {
      REQUIRE(world.run_until([&] { return peer->stopped(); }, 2s));
      peer->stop();
      CHECK(peer->exit().overran.empty());
      CHECK_FALSE(peer->exit().failed);
      CHECK(peer->tasks() == 0);
      CHECK(peer->workers_idle());
    }
    world.executor.run_ready();
    CHECK(world.executor.timers() == 0);
  }
}

TEST_CASE("open mode: Hello, /v1/peer and /v1/library name the same revision") {
  SimWorld world(318);
  SimPeer peer(world, "peer", "10.0.0.1");
  for (int i = 0; i < 5; ++i) make_small_game(peer.disk, "/library/game" + std::to_string(i), 1'000'000);
  peer.start({});
  world.executor.advance(20s);
  make_small_game(peer.disk, "/library/late", 1000);
  world.executor.advance(10min);
  RawPeer raw(world, "10.0.0.7", peer.address);
  REQUIRE(raw.open());
  REQUIRE(world.run_until([&] { return raw.count<protocol::Hello>() == 1; }, 5s));
  const std::uint64_t revision = std::get<protocol::Hello>(raw.received.front()).revision;
  Stranger stranger(world, "10.0.0.9", false);
  net::Link& link = stranger.dial(peer.address);
  const std::string named = "\"revision\": " + std::to_string(revision);
  CHECK(stranger.ask(link, "GET", "/v1/peer").body.contains(named));
  CHECK(stranger.ask(link, "GET", "/v1/library").body.contains(named));
}
