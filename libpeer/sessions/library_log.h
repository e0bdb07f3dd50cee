// LibraryLog: the games that this peer offers, and the history that deltas are made from. Pure state.
// Loop: control.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libpeer/protocol/messages.h"

namespace peer::sessions {

class LibraryLog {
 public:
  /// Sets the games that are offered now, sorted by id. If they differ from before, the revision grows, and it
  /// returns true.
  bool set(const std::vector<protocol::GameSummary>& games);

  std::uint64_t revision() const noexcept { return revision_; }
  /// The revision after set(games).
  std::uint64_t revision_of(const std::vector<protocol::GameSummary>& games) const;
  const Digest& digest() const noexcept { return digest_; }
  std::vector<protocol::GameSummary> games() const;

  /// The changes since a revision, in parts of at most protocol::kMaxGamesPerUpdate games. A snapshot if `since` is 0,
  /// too old or not a revision of this run.
  std::vector<protocol::LibraryUpdate> updates_since(std::uint64_t since) const;

 private:
  struct LoggedGame {
    protocol::GameSummary summary;
    std::uint64_t revision;  ///< at which it last changed
  };
  std::map<std::string, LoggedGame> games_;
  std::map<std::string, std::uint64_t> removed_;  ///< the revision at which each id was removed
  std::uint64_t oldest_ = 0;                      ///< the oldest revision that deltas can start from
  std::uint64_t revision_ = 1;
  Digest digest_ = protocol::library_digest({});
};

}  // namespace peer::sessions
