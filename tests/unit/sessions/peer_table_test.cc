#include "libpeer/sessions/peer_table.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/downloads/downloads.h"

using namespace peer;
using namespace peer::sessions;

namespace {
PeerId id(std::uint8_t first) {
  PeerId value;
  value.bytes.fill(first);
  return value;
}
Digest version(std::uint8_t first) {
  Digest value;
  value.bytes.fill(first);
  return value;
}
api::RemoteVersion offer(std::uint8_t v, std::int64_t modified, std::size_t peers) {
  api::RemoteVersion remote;
  remote.version = version(v);
  remote.modified = modified;
  remote.peers.resize(peers);
  return remote;
}
sessions::PeerEntry& connected(sessions::PeerTable& table, std::uint8_t who, const std::string& name) {
  sessions::PeerEntry& entry = table.obtain(id(who));
  entry.name = name;
  entry.state = api::PeerState::connected;
  return entry;
}
}  // namespace

TEST_CASE("A peer is found by a unique id prefix or a unique name") {
  sessions::PeerTable table;
  connected(table, 0x11, "anna");
  connected(table, 0x12, "bert");
  connected(table, 0x22, "bert");
  CHECK(*table.resolve("anna") == id(0x11));
  CHECK(*table.resolve("2222") == id(0x22));
  CHECK_FALSE(table.resolve("bert").has_value());
  CHECK_FALSE(table.resolve("nobody").has_value());
  CHECK_FALSE(table.resolve("1").has_value());
}

TEST_CASE("A peer that calls itself by another peer's id does not make the id ambiguous") {
  sessions::PeerTable table;
  connected(table, 0x11, "anna");
  connected(table, 0x12, id(0x11).brief());
  connected(table, 0x13, id(0x11).hex());
  connected(table, 0x14, id(0x15).hex());
  CHECK(*table.resolve(id(0x11).brief()) == id(0x11));
  CHECK(*table.resolve(id(0x11).hex()) == id(0x11));
  CHECK_FALSE(table.resolve(id(0x15).hex()).has_value());  // of a peer that is not listed
}

TEST_CASE("Versions of a game are listed side by side with the peers that offer them") {
  sessions::PeerTable table;
  connected(table, 1, "a").library.games["quake"] = {"quake", version(1), 10, 1, 100};
  connected(table, 2, "b").library.games["quake"] = {"quake", version(1), 10, 1, 200};
  connected(table, 3, "c").library.games["quake"] = {"quake", version(2), 20, 2, 300};
  sessions::PeerEntry& gone = connected(table, 4, "d");
  gone.library.games["quake"] = {"quake", version(3), 20, 2, 300};
  gone.state = api::PeerState::unreachable;
  const auto versions = table.versions("quake", {});
  REQUIRE(versions.size() == 2);
  CHECK(versions[0].peers.size() == 2);
  CHECK(versions[0].modified == 200);
  CHECK(table.versions("quake", {id(3), id(4)}).size() == 1);
  CHECK(table.sources("quake", version(1)).size() == 2);
  CHECK(table.sources("quake", version(3)).empty());
}

TEST_CASE("A peer that downloads a version is a source behind those that offer it, and is not listed as one of them") {
  sessions::PeerTable table;
  sessions::PartialHolding part{version(1), std::make_shared<std::vector<bool>>(5), 3};
  connected(table, 1, "a").holdings["quake"] = part;
  connected(table, 2, "b").library.games["quake"] = {"quake", version(1), 10, 1, 200};
  sessions::PeerEntry& both = connected(table, 3, "c");
  both.library.games["quake"] = {"quake", version(1), 10, 1, 200};
  both.holdings["quake"] = part;
  connected(table, 4, "d").holdings["quake"] = {version(2), part.chunks, 4};
  const auto sources = table.sources("quake", version(1));
  REQUIRE(sources.size() == 3);
  CHECK(sources[0].holds == nullptr);
  CHECK(sources[1].holds == nullptr);
  CHECK(sources[2].id == id(1));
  CHECK(sources[2].holds == part.chunks);
  CHECK(sources[2].holds_revision == 3);
  CHECK(table.versions("quake", {}).at(0).peers.size() == 2);
  sessions::PeerEntry& gone_now = *table.find(id(1));
  gone_now.library.forget();
  gone_now.holdings.clear();
  CHECK(table.sources("quake", version(1)).size() == 2);
}

TEST_CASE(
    "The default version is the newest, then the one of most peers, then the lowest hash; future times do not count") {
  constexpr std::int64_t kNow = 1000;
  CHECK(downloads::choose_version({}, kNow) == nullptr);
  const std::vector<api::RemoteVersion> newest = {offer(1, 100, 5), offer(2, 200, 1)};
  CHECK(downloads::choose_version(newest, kNow)->version == version(2));
  const std::vector<api::RemoteVersion> future = {offer(1, 100, 1), offer(2, 5000, 9)};
  CHECK(downloads::choose_version(future, kNow)->version == version(1));
  const std::vector<api::RemoteVersion> peers = {offer(1, 100, 1), offer(2, 100, 2)};
  CHECK(downloads::choose_version(peers, kNow)->version == version(2));
  const std::vector<api::RemoteVersion> hash = {offer(9, 100, 2), offer(2, 100, 2)};
  CHECK(downloads::choose_version(hash, kNow)->version == version(2));
}

TEST_CASE("A full table drops the peer that was last heard longest ago, and never a connected one") {
  sessions::PeerTable table;
  connected(table, 1, "here");
  PeerId stranger = id(2);
  for (std::size_t i = 0; i < sessions::kMaxListedPeers + 10; ++i) {
    stranger.bytes[0] = static_cast<std::uint8_t>(i >> 8);
    stranger.bytes[1] = static_cast<std::uint8_t>(i);
    sessions::PeerEntry& entry = table.obtain(stranger);
    entry.state = api::PeerState::refused;
    entry.last_seen = runtime::TimePoint(std::chrono::seconds(i + 1));
  }
  CHECK(table.all().size() == sessions::kMaxListedPeers);
  CHECK(table.find(id(1)) != nullptr);
  CHECK(table.find(stranger) != nullptr);
}
