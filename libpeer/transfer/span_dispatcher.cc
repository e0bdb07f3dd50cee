#include "libpeer/transfer/span_dispatcher.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace peer::transfer {

namespace {
/// Minimum time saved before a chunk is fetched twice. Units: seconds.
constexpr double kMinTimeSaved = 0.25;
/// A source that needs longer for what it holds is stuck. Others may fetch the same chunks. Units: seconds.
constexpr double kStuck = 10;

/// How long a source needs for that many bytes.
double seconds_for(std::uint64_t bytes, const SourceState& source) {
  const double rate = source.pace.rate().value_or(static_cast<double>(kFirstWindow));
  return static_cast<double>(bytes) / std::max(rate, 1.0);
}
}  // namespace

void SpanDispatcher::dispatch(runtime::TimePoint now) {
  std::uint64_t under_way = staging_.unlogged_bytes();
  for (auto& [id, source] : sources_) {
    under_way += source.outstanding_bytes;
    if (source.task.running) source.pace.update(now, source.received(), source.busy);
  }
  blocked_ = false;
  std::set<PeerId> saturated;
  while (const auto next = least_loaded(saturated)) {
    SourceState& source = sources_.at(*next);
    if (under_way + kSpanBytes > kMaxUnlogged) {
      blocked_ = true;
      break;
    }
    const bool single = source.holes.single_chunk_requests > 0;
    std::optional<Span> span = planner_.next(*next, single ? 1 : source.pace.span());
    if (span && single) --source.holes.single_chunk_requests;
    if (!span) span = take_over(*next, source);
    if (!span) {
      saturated.insert(*next);
      continue;
    }
    Assignment assignment{*span};
    if (!source.task.spans->sender().try_send(assignment)) {
      planner_.release(*span);
      saturated.insert(*next);
      continue;
    }
    source.outstanding.push_back(std::move(assignment));
    source.outstanding_bytes += span->bytes;
    under_way += span->bytes;
  }
  for (auto& [id, source] : sources_) source.busy = !source.outstanding.empty();
}

/// The source with the smallest share of its window in use, among those to which another span may be assigned.
std::optional<PeerId> SpanDispatcher::least_loaded(const std::set<PeerId>& saturated) const {
  std::optional<PeerId> found;
  double least = 1;
  for (const auto& [id, source] : sources_) {
    if (!source.task.running || source.excluded || source.outstanding.size() >= kSpansPerSource) continue;
    const std::uint64_t window = source.pace.window();
    if (source.outstanding_bytes > 0 && source.outstanding_bytes + source.pace.span() > window) continue;
    const double share = static_cast<double>(source.outstanding_bytes) / static_cast<double>(window);
    if (share >= least || saturated.contains(id)) continue;
    found = id;
    least = share;
  }
  return found;
}

/// Whether a chunk is assigned only to sources that are stuck.
bool SpanDispatcher::is_stuck(const PeerId& id, std::uint64_t chunk) const {
  for (const auto& [other, each] : sources_) {
    if (other != id && seconds_for(each.outstanding_bytes, each) > kStuck) continue;
    for (const Assignment& assignment : each.outstanding) {
      if (chunk >= assignment.span.first && chunk - assignment.span.first < assignment.span.count) return false;
    }
  }
  return true;
}

/// The end of a span that the slowest source holds, if this source would bring it much sooner. Chunks that two sources
/// fetch already are left to them, unless both are stuck: sources that send nothing must not keep a chunk.
std::optional<Span> SpanDispatcher::take_over(const PeerId& id, const SourceState& source) {
  const std::uint64_t most = source.pace.span();
  const double here = seconds_for(source.outstanding_bytes + most, source);
  std::vector<std::pair<double, const SourceState*>> slower;
  for (const auto& [other, each] : sources_) {
    if (other == id || each.outstanding.empty()) continue;
    const double there = seconds_for(each.outstanding_bytes, each);
    if (there > 2 * here + kMinTimeSaved) slower.emplace_back(there, &each);
  }
  const auto stuck = [this, &id](std::uint64_t chunk) { return is_stuck(id, chunk); };
  std::ranges::sort(slower, std::greater<>(), &std::pair<double, const SourceState*>::first);
  for (const auto& [there, each] : slower) {
    for (auto assignment = each->outstanding.rbegin(); assignment != each->outstanding.rend(); ++assignment) {
      if (const auto span = planner_.duplicate(id, assignment->span, most, stuck)) {
        ++taken_over_;
        return span;
      }
    }
  }
  return std::nullopt;
}

void SpanDispatcher::drop_unwanted() {
  if (taken_over_ == 0) return;
  for (auto& [id, source] : sources_) {
    for (const Assignment& each : source.outstanding) {
      if (planner_.bytes_missing(each.span) == 0) each.unwanted->store(true, std::memory_order_relaxed);
    }
  }
}

void SpanDispatcher::release(SourceState& source, const Span& span) {
  const auto found = std::ranges::find(source.outstanding, span, &Assignment::span);
  if (found == source.outstanding.end()) return;
  source.outstanding.erase(found);
  source.outstanding_bytes -= span.bytes;
  planner_.release(span);
}

void SpanDispatcher::release_all(SourceState& source) {
  while (!source.outstanding.empty()) {
    const Span span = source.outstanding.back().span;
    release(source, span);
  }
}

}  // namespace peer::transfer
