// DigestBudget: how many game summaries may be hashed to check the libraries of other peers.
//
// A digest covers a whole library, so a peer with many games and many small updates would cause much work.
// Loop: control.
// Limits: protocol::kDigestBurst summaries at once and kDigestsPerSecond per second, for all peers together.
#pragma once

#include <cstdint>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/token_bucket.h"

namespace peer::sessions {

class DigestBudget {
 public:
  /// False if too many summaries were hashed recently.
  bool try_spend(std::size_t games, runtime::TimePoint now) {
    if (!bucket_.try_consume_some(static_cast<double>(games), now, protocol::kDigestBurst, protocol::kDigestsPerSecond))
      return false;
    spent_ += games;
    return true;
  }
  std::uint64_t spent() const noexcept { return spent_; }  ///< in all

 private:
  runtime::TokenBucket bucket_;
  std::uint64_t spent_ = 0;
};

}  // namespace peer::sessions
