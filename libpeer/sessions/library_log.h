// LibraryLog: what this peer offers, with the history that deltas are cut from. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libpeer/protocol/messages.h"

namespace peer::sessions {

class LibraryLog {
 public:
  /// Takes what is offered now, sorted by id. The revision counts up if that differs from before; true then.
  bool set(const std::vector<protocol::GameSummary>& games);

  std::uint64_t revision() const noexcept { return revision_; }
  const Digest& digest() const noexcept { return digest_; }
  std::vector<protocol::GameSummary> games() const;

  /// What a peer that knows `since` lacks, in parts of protocol::kMaxGamesPerUpdate; a snapshot when `since` is 0 or
  /// too old.
  std::vector<protocol::LibraryUpdate> updates_since(std::uint64_t since) const;

 private:
  struct Held {
    protocol::GameSummary summary;
    std::uint64_t revision;  ///< at which it last changed
  };
  std::map<std::string, Held> games_;
  std::map<std::string, std::uint64_t> removed_;  ///< id -> revision of removal
  std::uint64_t oldest_ = 0;                      ///< deltas reach back to here
  std::uint64_t revision_ = 1;
  Digest digest_ = protocol::library_digest({});
};

}  // namespace peer::sessions
