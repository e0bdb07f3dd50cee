#include "libpeer/sessions/frame_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/sleep.h"

namespace peer::sessions {

runtime::Task<Result<std::optional<SessionFrame>>> FrameReader::read(std::size_t most,
                                                                     runtime::CancellationToken token) {
  std::uint8_t head[4];
  const auto got = co_await reader_.read(head, token);
  if (!got) co_return std::unexpected(got.error());
  reader_.release(*got);
  if (*got == 0) co_return std::optional<SessionFrame>();
  const std::size_t length =
      std::size_t{head[0]} << 24 | std::size_t{head[1]} << 16 | std::size_t{head[2]} << 8 | head[3];
  if (*got < sizeof head || length == 0)
    co_return fail(ErrorCode::invalid, "the peer sent a session frame without a payload");
  if (length > most) {
    co_return fail(ErrorCode::invalid, "the peer sent a session frame of " + std::to_string(length) +
                                           " bytes; the limit is " + std::to_string(most) +
                                           (most < protocol::kMaxFrameBytes ? " before Hello" : ""));
  }
  SessionFrame frame;
  const std::size_t first = std::min(length, kFirstFrameBytes);
  const auto begun = co_await fill(frame, 0, first, token);
  if (!begun) co_return std::unexpected(begun.error());
  if (first < length) {
    frame.charged = co_await memory_.reserve(account_, length, token);
    const auto rest = co_await fill(frame, first, length, token);
    if (!rest) co_return std::unexpected(rest.error());
  }
  co_return std::optional(std::move(frame));
}

/// Reads the payload's bytes from `have` until `until`, at most as many at a time as have arrived already.
runtime::Task<Result<void>> FrameReader::fill(SessionFrame& frame, std::size_t have, std::size_t until,
                                              runtime::CancellationToken token) {
  runtime::Deadline deadline(executor_, kFrameWait, token);
  try {
    while (have < until) {
      frame.payload.resize(std::min(until, std::max(kFirstFrameBytes, 2 * have)));
      const auto into = std::span(frame.payload).subspan(have);
      const auto got = co_await reader_.read(into, deadline.token());
      if (!got) co_return std::unexpected(got.error());
      reader_.release(*got);
      if (*got < into.size()) co_return fail(ErrorCode::invalid, "the session's stream ended inside a frame");
      have += *got;
    }
  } catch (const runtime::Cancelled&) {
    if (token.requested() || !deadline.expired()) throw;
    co_return fail(ErrorCode::unreachable, "the peer did not send the rest of a session frame within 20 s");
  }
  co_return Result<void>();
}

}  // namespace peer::sessions
