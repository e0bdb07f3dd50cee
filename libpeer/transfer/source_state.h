// SourceState: the state that a download keeps for one peer that it fetches from.
// Loop: control.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/transfer/fetch.h"
#include "libpeer/transfer/pace.h"

namespace peer::transfer {

/// Spans that may be assigned to a source: one for each lane, and one waiting.
inline constexpr std::size_t kSpansPerSource = kLanes + 1;

/// The task that fetches from a source, with its connection.
struct SourceTask {
  std::shared_ptr<runtime::Channel<Assignment>> spans;
  std::shared_ptr<SourceMeters> meters;
  std::unique_ptr<runtime::CancellationSource> stop;
  bool running = false;
  std::uint64_t route_generation = 0;  ///< of the SourcePeer that it dialed
};

/// Chunks that a source lacks although it offers the version: its files have changed since it installed them.
struct SourceHoles {
  std::vector<bool> lacks;                  ///< one flag per chunk; empty: no hole was found
  unsigned count = 0;                       ///< chunks found
  std::uint64_t single_chunk_requests = 0;  ///< requests to make for one chunk each, to find the hole in a span
};

struct SourceState {
  static constexpr std::uint64_t kHoldsAll = static_cast<std::uint64_t>(-1);

  SourceTask task;
  std::vector<Assignment> outstanding;
  std::uint64_t outstanding_bytes = 0;
  Pace pace{kSpansPerSource * kSpanBytes, kSpansPerSource};
  bool busy = false;                      ///< it had work after the last dispatch
  SourceMeters::MeterReading counted;     ///< the part of its meters that the time breakdown includes
  std::optional<std::uint64_t> holdings;  ///< the revision of its holdings that the planner has, or kHoldsAll
  bool excluded = false;                  ///< it sent wrong data, or lacks what it offered
  SourceHoles holes;
  unsigned failures = 0;              ///< consecutive failed spans on a working connection
  runtime::TimePoint not_before{};    ///< no new connection before then
  std::uint64_t received_before = 0;  ///< bytes received over earlier connections

  /// It is itself downloading the version.
  bool partial() const { return holdings && *holdings != kHoldsAll; }
  std::uint64_t received() const { return received_before + (task.meters ? task.meters->received.load() : 0); }
};

}  // namespace peer::transfer
