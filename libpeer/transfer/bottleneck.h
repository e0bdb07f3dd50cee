// The bottleneck of a download, determined once a second from where its time is spent. Pure: no clock.
//
//   disk     no more spans are requested until received data is durable, or lanes wait to write during a sync
//   cpu      lanes wait longer for verifying and writing than for bytes, and no sync is under way
//   sender   lanes wait for bytes, and the senders of most bytes report a limit or a slow disk of their own
//   network  lanes wait for bytes, and no sender reports that
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace peer::transfer {

/// Sums over about a second.
struct TimeBreakdown {
  std::uint64_t samples = 0;     ///< how often the download was sampled
  std::uint64_t blocked = 0;     ///< samples in which no span could be requested, because too much is not durable yet
  std::uint64_t syncing = 0;     ///< samples in which a checkpoint was under way
  std::uint64_t reading_ns = 0;  ///< time that lanes waited for bytes
  std::uint64_t writing_ns = 0;  ///< time that lanes waited for bytes to be verified and written
  std::uint64_t received = 0;    ///< bytes
  std::uint64_t held_back = 0;   ///< the part of `received` from senders that hold themselves back
};

/// "disk", "cpu", "sender" or "network"; nothing if none of them stands out.
std::optional<std::string_view> bottleneck(const TimeBreakdown& time) noexcept;

}  // namespace peer::transfer
