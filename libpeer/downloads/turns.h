// DownloadTurns: at most `parallel` downloads run at a time, in the order of their positions.
// Loop: control.
#pragma once

#include "libpeer/downloads/table.h"
#include "libpeer/runtime/event.h"

namespace peer::downloads {

class DownloadTurns {
 public:
  /// Both must outlive it.
  DownloadTurns(const DownloadTable& table, const std::size_t& parallel) : table_(table), parallel_(parallel) {}

  /// Waits for the download's turn; it keeps the turn until leave(). Cancel: throws Cancelled.
  runtime::Task<void> wait(DownloadEntry& entry, runtime::CancellationToken token);
  /// Gives the download's turn to the next one, or its place in the line if it has no turn yet.
  void leave(DownloadEntry& entry);
  /// Call it when the order, the limit or the table has changed.
  void changed() { changed_.set(); }

 private:
  bool is_first(const DownloadEntry& entry) const;

  const DownloadTable& table_;
  const std::size_t& parallel_;
  std::size_t running_ = 0;
  runtime::Event changed_;
};

}  // namespace peer::downloads
