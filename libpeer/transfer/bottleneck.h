// What holds a download back, judged once a second by where its time goes. Pure: no clock.
//
//   disk     what was received waits to become durable, or lanes wait to write while a sync is under way
//   cpu      lanes wait longer for verifying and writing than for bytes, though the disk keeps up
//   sender   lanes wait for bytes, and those who send most of them say that they hold themselves back
//   network  lanes wait for bytes, and nobody says so
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace peer::transfer {

/// Sums over a second or so.
struct Spent {
  std::uint64_t looks = 0;       ///< how often it was looked at:
  std::uint64_t blocked = 0;     ///< no more could be asked for, because of what is not durable yet
  std::uint64_t syncing = 0;     ///< a checkpoint was under way
  std::uint64_t reading_ns = 0;  ///< lanes' time in waiting for bytes
  std::uint64_t writing_ns = 0;  ///< and in waiting for their being verified and written
  std::uint64_t received = 0;    ///< bytes
  std::uint64_t held_back = 0;   ///< of them, by senders that hold themselves back
};

/// Nothing: hard to say.
std::optional<std::string_view> bottleneck(const Spent& spent) noexcept;

}  // namespace peer::transfer
