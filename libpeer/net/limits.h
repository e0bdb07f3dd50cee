// Every cap on what a remote can make net/ hold, send or do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "libpeer/runtime/executor.h"

namespace peer::net::limits {

inline constexpr std::size_t kConnections = 1024;  ///< live ones, both roles
inline constexpr std::size_t kInbound = 896;       ///< of them from clients: room for our own is kept
inline constexpr std::size_t kClosed = 1024;       ///< closed connections still answered with their last packet
inline constexpr std::uint64_t kStreams = 64;      ///< requests under way in a connection, from each side
inline constexpr std::size_t kHeaderBytes =
    16 * 1024;                               ///< of one request or response; 32 are counted per field beside its text
inline constexpr std::size_t kReason = 128;  ///< bytes of a close reason, sent or shown
/// Version negotiations, refusals and stateless resets: a token bucket for answers to datagrams of no connection.
inline constexpr double kStatelessBurst = 128;
inline constexpr double kStatelessPerSecond = 512;
inline constexpr int kCloseAnswers = 8;  ///< how often a closed connection repeats its last packet

inline constexpr runtime::Duration kRetryTokenLife = std::chrono::seconds(10);
inline constexpr runtime::Duration kDrain =
    std::chrono::milliseconds(200);                        ///< for the last bytes before a close that serves politeness
inline constexpr std::size_t kBurstBytes = 65000;          ///< of one send()
inline constexpr std::size_t kFlushMinimum = 128 * 1024;   ///< sent in one go whatever the pacing rate
inline constexpr std::size_t kFlushMaximum = 1024 * 1024;  ///< then others have their turn

}  // namespace peer::net::limits
