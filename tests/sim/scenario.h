// Games and helpers for the simulations.
#pragma once

#include <string>

#include "support/node/sim_peer.h"

namespace peer::test {

/// Repeatable bytes that compress badly.
inline std::string content(std::uint64_t seed, std::size_t size) {
  std::string bytes(size, '\0');
  seeded_random(seed)->fill({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  return bytes;
}

/// One file of that size and a few small ones.
inline void make_small_game(MemoryDisk& disk, const std::string& path, std::size_t size) {
  disk.write(path + "/big.pak", content(size, size));
  for (int i = 0; i < 5; ++i) disk.write(path + "/data/file" + std::to_string(i), content(i, 100 + i * 37));
}

/// A small game with fixed times, so that every copy has the same version.
inline void make_dated_game(MemoryDisk& disk, const std::string& path, std::size_t size) {
  constexpr std::int64_t kTime = 1'700'000'000'000'000'000;
  make_small_game(disk, path, size);
  disk.set_mtime(path + "/big.pak", kTime);
  for (int i = 0; i < 5; ++i) disk.set_mtime(path + "/data/file" + std::to_string(i), kTime);
}

/// Waits until that many seeds offer the only game that `leech` knows, in one version.
inline bool sees(SimWorld& world, SimPeer& leech, std::size_t seeds) {
  return world.run_until(
      [&] {
        const auto games = leech.ask(api::ListGames{}).value();
        return games.size() == 1 && games[0].remote.size() == 1 && games[0].remote[0].peers.size() == seeds;
      },
      std::chrono::seconds(30));
}

inline SimPeer::Options knowing(const std::string& address) {
  SimPeer::Options options;
  options.peers = {address};
  return options;
}

inline api::StartDownload download_of(const std::string& game) {
  api::StartDownload start;
  start.game = game;
  return start;
}

/// The number of emitted events that end a download.
inline std::size_t terminal_events(const SimPeer& peer) {
  return peer.count("DownloadGameFilesFinished") + peer.count("DownloadGameFilesFailed") +
         peer.count("DownloadGameFilesCancelled") + peer.count("DownloadGameFilesAllPeersGone");
}

/// A network at 4 MB/s, so that a download takes a while.
inline LinkConditions slow_link() {
  LinkConditions conditions;
  conditions.delay = std::chrono::milliseconds(1);
  conditions.bandwidth = 4'000'000;
  return conditions;
}

}  // namespace peer::test
