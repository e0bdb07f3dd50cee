// FrameReader: reads the frames of one session's stream.
//
// A frame's buffer grows with the bytes that have arrived, and not with the announced length.
// Loop: net.
// Limits: kFirstFrameBytes of each frame are free; a longer frame is charged to FrameMemory. A frame must arrive within
// kFrameWait.
// Fails: invalid for an illegal frame; unreachable for one that does not arrive.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/sessions/frame_memory.h"

namespace peer::sessions {

/// What is allocated for a frame of any announced length.
inline constexpr std::size_t kFirstFrameBytes = 4096;
/// Time for the rest of a frame after its length.
inline constexpr runtime::Duration kFrameWait = std::chrono::seconds(20);

struct SessionFrame {
  std::vector<std::uint8_t> payload;
  FrameBytes charged = {};
};

class FrameReader {
 public:
  FrameReader(runtime::Executor& executor, net::BodyReader& reader, FrameMemory& memory,
              const net::SocketAddress& account)
      : executor_(executor), reader_(reader), memory_(memory), account_(account) {}

  /// The next frame, of at most `most` bytes. Nothing at the end of the stream. Cancel: throws Cancelled.
  runtime::Task<Result<std::optional<SessionFrame>>> read(std::size_t most, runtime::CancellationToken token);

 private:
  runtime::Task<Result<void>> fill(SessionFrame& frame, std::size_t have, std::size_t until,
                                   runtime::CancellationToken token);

  runtime::Executor& executor_;
  net::BodyReader& reader_;
  FrameMemory& memory_;
  net::SocketAddress account_;
};

}  // namespace peer::sessions
