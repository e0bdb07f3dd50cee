#include "libpeer/downloads/turns.h"

#include <algorithm>
#include <utility>

namespace peer::downloads {

bool DownloadTurns::is_first(const DownloadEntry& entry) const {
  return std::ranges::all_of(table_.all(), [&](const auto& each) {
    const QueuePlace& other = each.second->place;
    return !other.in_line || other.position >= entry.place.position;
  });
}

runtime::Task<void> DownloadTurns::wait(DownloadEntry& entry, runtime::CancellationToken token) {
  entry.place.in_line = true;
  while (!is_first(entry) || running_ >= parallel_) {
    changed_.reset();
    co_await changed_.wait(token);
  }
  // Counted without a suspension after the check: all waiting downloads are woken at once.
  entry.place.running = true;
  ++running_;
  entry.place.in_line = false;
  changed_.set();  // another download may be first now
}

void DownloadTurns::leave(DownloadEntry& entry) {
  entry.place.in_line = false;
  if (std::exchange(entry.place.running, false)) --running_;
  changed_.set();
}

}  // namespace peer::downloads
