#include "libpeer/node/doctor_checks.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

using namespace peer;
using namespace peer::node;
using namespace std::chrono_literals;
using Verdict = api::FindingVerdict;

namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kNow = 1'800'000'000'000'000'000;

std::vector<api::GameInfo> game_dated(std::int64_t modified) {
  api::GameInfo game;
  game.id = "quake3";
  api::RemoteVersion version;
  version.modified = modified;
  game.remote.push_back(version);
  return {game};
}

api::PeerInfo peer_in(api::PeerState state) {
  api::PeerInfo peer;
  peer.name = "alpha";
  peer.addresses = {"10.0.0.2:24747"};
  peer.state = state;
  return peer;
}

}  // namespace

TEST_CASE("A disk that is slower than a gigabit network is a warning with a fix") {
  const api::Finding slow = judge_speed("disk", 64'000'000, 1s, "use a faster disk");
  CHECK(slow.verdict == Verdict::warning);
  CHECK(slow.text == "64 MB/s, slower than a gigabit network");
  CHECK(slow.fix == "use a faster disk");
  const api::Finding fast = judge_speed("disk", 500'000'000, 1s, "use a faster disk");
  CHECK(fast.verdict == Verdict::good);
  CHECK(fast.fix.empty());
}

TEST_CASE("A clock that was never set, or that is days behind a peer's game, is a warning") {
  CHECK(judge_clock(kDay, {}).verdict == Verdict::warning);
  CHECK(judge_clock(kNow, game_dated(kNow)).verdict == Verdict::good);
  CHECK(judge_clock(kNow, game_dated(kNow + kDay)).verdict == Verdict::good);
  const api::Finding behind = judge_clock(kNow, game_dated(kNow + 3 * kDay));
  CHECK(behind.verdict == Verdict::warning);
  CHECK(behind.text.contains("quake3 is dated 3 days in the future"));
}

TEST_CASE("The fix for a disk error depends on whether the root is missing, corrupt or not writable") {
  CHECK(judge_disk_error(Error{ErrorCode::disk_error, "x", ENOENT}, "/games").fix.starts_with("mount /games"));
  CHECK(judge_disk_error(Error{ErrorCode::disk_error, "x", 0}, "/games").fix.starts_with("do not trust this disk"));
  CHECK(judge_disk_error(Error{ErrorCode::disk_error, "x", EACCES}, "/games").fix.contains("write access to /games"));
}

TEST_CASE("Space below the reserve is bad") {
  store::Space space;
  space.available = 300'000'000;
  CHECK(judge_space(space, "/games", 100'000'000).verdict == Verdict::good);
  CHECK(judge_space(space, "/games", 256'000'000).verdict == Verdict::bad);
}

TEST_CASE("An unreachable peer is a warning that names the port to open") {
  const auto findings = judge_peers({peer_in(api::PeerState::unreachable)}, access::AccessMode::open);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].subject == "peer alpha");
  CHECK(findings[0].verdict == Verdict::warning);
  CHECK(findings[0].fix.contains("UDP port 24747"));
  CHECK(judge_peers({}, access::AccessMode::open).front().text == "none is known");
}

TEST_CASE("The fix for a refused peer in paired mode says on which side to pair it") {
  api::PeerInfo peer = peer_in(api::PeerState::refused);
  CHECK(judge_peers({peer}, access::AccessMode::paired).front().fix.starts_with("'peerctl pair alpha'"));
  peer.paired = true;
  CHECK(judge_peers({peer}, access::AccessMode::paired).front().fix == "pair this peer on that machine as well");
}

TEST_CASE("Paired mode without a pairing is a warning") {
  CHECK(judge_access_mode(access::AccessMode::open, 0).verdict == Verdict::good);
  CHECK(judge_access_mode(access::AccessMode::paired, 0).verdict == Verdict::warning);
  CHECK(judge_access_mode(access::AccessMode::paired, 2).text.ends_with("paired here: 2"));
}

TEST_CASE("An interface without multicast is a warning, and an unused one is listed as excluded") {
  api::LocalInterface wired;
  wired.address.name = "eth0";
  wired.address.address = *net::SocketAddress::parse("10.0.0.1:0");
  wired.address.multicast = true;
  wired.used = true;
  api::LocalInterface tunnel = wired;
  tunnel.address.name = "tun0";
  tunnel.address.multicast = false;
  api::LocalInterface bridge = wired;
  bridge.address.name = "docker0";
  bridge.used = false;
  const auto findings = judge_interfaces({wired, tunnel, bridge}, {}, {});
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].text == "published; peers found here: 0");
  CHECK(findings[1].subject == "mDNS on tun0");
  CHECK(findings[1].verdict == Verdict::warning);
  CHECK(findings[2].text.starts_with("excluded"));
  CHECK(judge_interfaces({}, {}, {}).front().verdict == Verdict::bad);
}
