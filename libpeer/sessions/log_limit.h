// Limits the lines that remotes can cause: per peer id, and for all peers together.
//
// The next line of the same peer, or of any peer, says how many lines were suppressed. Debug lines are not limited,
// because a user asks for them.
#pragma once

#include <functional>

#include "libpeer/base/log.h"
#include "libpeer/runtime/executor.h"

namespace peer::sessions {

/// Lines about one peer: at once, and then per second.
inline constexpr double kPeerLinesBurst = 20;
inline constexpr double kPeerLinesPerSecond = 0.2;
/// Lines about all peers.
inline constexpr double kLinesBurst = 400;
inline constexpr double kLinesPerSecond = 10;
/// Peers whose lines are counted separately. Beyond that, all counts begin again.
inline constexpr std::size_t kMaxLimitedPeers = 4096;

/// A log that limits the lines that have a PEER field. Loop: any thread.
Log limit_peer_lines(Log log, std::function<runtime::TimePoint()> now);

}  // namespace peer::sessions
