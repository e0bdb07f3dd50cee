#include "libpeer/transfer/bottleneck.h"

namespace peer::transfer {

std::optional<std::string_view> bottleneck(const Spent& spent) noexcept {
  if (spent.looks == 0 || spent.received == 0) return std::nullopt;
  if (2 * spent.blocked > spent.looks) return "disk";
  if (spent.writing_ns > spent.reading_ns) return 2 * spent.syncing > spent.looks ? "disk" : "cpu";
  if (2 * spent.held_back > spent.received) return "sender";
  if (spent.reading_ns > 2 * spent.writing_ns) return "network";
  return std::nullopt;
}

}  // namespace peer::transfer
