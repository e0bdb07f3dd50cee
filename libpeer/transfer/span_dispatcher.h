// SpanDispatcher: assigns spans to the sources of a download.
//
// 1. Received data that is not durable yet, plus outstanding spans, never exceeds kMaxUnlogged bytes.
// 2. The least loaded source is served first, so that equal sources deliver equal shares.
// 3. When every chunk that a source could deliver is assigned to slower sources, it takes over the end of a span of the
//    slowest one. The first source to deliver a chunk wins, and the other drops it.
// Loop: control.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "libpeer/staging/staging.h"
#include "libpeer/transfer/plan.h"
#include "libpeer/transfer/source_state.h"

namespace peer::transfer {

/// Limit of bytes that are received or requested but not logged as durable.
inline constexpr std::uint64_t kMaxUnlogged = 64 << 20;

class SpanDispatcher {
 public:
  /// Every argument must outlive the dispatcher.
  SpanDispatcher(Planner& planner, const staging::Staging& staging, std::map<PeerId, SourceState>& sources)
      : planner_(planner), staging_(staging), sources_(sources) {}

  /// Assigns spans until every source is saturated or kMaxUnlogged is reached.
  void dispatch(runtime::TimePoint now);
  /// Ends an assignment. Does nothing if the span is not assigned to the source.
  void release(SourceState& source, const Span& span);
  void release_all(SourceState& source);
  /// Marks the assignments that other sources have completed.
  void drop_unwanted();
  /// Whether the last dispatch() stopped at kMaxUnlogged.
  bool blocked() const noexcept { return blocked_; }

 private:
  std::optional<PeerId> least_loaded(const std::set<PeerId>& saturated) const;
  bool is_stuck(const PeerId& id, std::uint64_t chunk) const;
  std::optional<Span> take_over(const PeerId& id, const SourceState& source);

  Planner& planner_;
  const staging::Staging& staging_;
  std::map<PeerId, SourceState>& sources_;
  std::size_t taken_over_ = 0;  ///< spans that were assigned a second time
  bool blocked_ = false;
};

}  // namespace peer::transfer
