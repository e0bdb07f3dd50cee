#include "libpeer/transfer/bottleneck.h"

namespace peer::transfer {

std::optional<std::string_view> bottleneck(const TimeBreakdown& time) noexcept {
  if (time.samples == 0 || time.received == 0) return std::nullopt;
  if (2 * time.blocked > time.samples) return "disk";
  if (time.writing_ns > time.reading_ns) return 2 * time.syncing > time.samples ? "disk" : "cpu";
  if (2 * time.held_back > time.received) return "sender";
  if (time.reading_ns > 2 * time.writing_ns) return "network";
  return std::nullopt;
}

}  // namespace peer::transfer
