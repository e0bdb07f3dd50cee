#include "transfer/plan.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace peer::transfer {

Planner::Planner(const protocol::Manifest& manifest, std::vector<bool> have) : have_(std::move(have)) {
  PEER_CHECK(have_.size() == manifest.chunks.size());
  sizes_.reserve(manifest.chunks.size());
  for (const protocol::ManifestFile& file : manifest.files) {
    for (std::uint64_t offset = 0; offset < file.size; offset += protocol::kChunkSize) {
      sizes_.push_back(static_cast<std::uint32_t>(std::min(file.size - offset, protocol::kChunkSize)));
    }
  }
  PEER_CHECK(sizes_.size() == have_.size());
  std::uint64_t run = 0;
  for (std::uint64_t chunk = 0; chunk < have_.size(); ++chunk) {
    bytes_total_ += sizes_[chunk];
    if (have_[chunk]) {
      ++chunks_had_;
      bytes_had_ += sizes_[chunk];
      if (run > 0) missing_.emplace_hint(missing_.end(), chunk - run, run);
      run = 0;
    } else {
      ++run;
    }
  }
  if (run > 0) missing_.emplace_hint(missing_.end(), have_.size() - run, run);
}

std::uint32_t Planner::size_of(std::uint64_t chunk) const { return sizes_[static_cast<std::size_t>(chunk)]; }

std::optional<Span> Planner::next() {
  if (missing_.empty()) return std::nullopt;
  const auto run = missing_.begin();
  const auto [first, available] = *run;
  Span span{first, 0, 0};
  while (span.count < available && span.count < protocol::kMaxSpanChunks) {
    const std::uint32_t size = size_of(first + span.count);
    if (span.count > 0 && span.bytes + size > kSpanBytes) break;
    span.bytes += size;
    ++span.count;
  }
  missing_.erase(run);
  if (span.count < available) missing_.emplace(first + span.count, available - span.count);
  return span;
}

void Planner::had(std::uint64_t chunk) {
  PEER_CHECK(chunk < have_.size());
  if (have_[chunk]) return;
  have_[chunk] = true;
  ++chunks_had_;
  bytes_had_ += size_of(chunk);
  // It may come while nobody is assigned to it (found on this disk): then it leaves its run.
  auto run = missing_.upper_bound(chunk);
  if (run == missing_.begin()) return;
  --run;
  const auto [first, count] = *run;
  if (chunk >= first + count) return;
  missing_.erase(run);
  if (chunk > first) missing_.emplace(first, chunk - first);
  if (chunk + 1 < first + count) missing_.emplace(chunk + 1, first + count - chunk - 1);
}

void Planner::returned(const Span& span) {
  PEER_CHECK(span.first <= have_.size() && span.count <= have_.size() - span.first);
  std::uint64_t run = 0;
  for (std::uint64_t chunk = span.first; chunk < span.first + span.count; ++chunk) {
    if (!have_[chunk]) {
      ++run;
      continue;
    }
    add_missing(chunk - run, run);
    run = 0;
  }
  add_missing(span.first + span.count - run, run);
}

void Planner::add_missing(std::uint64_t first, std::uint64_t count) {
  if (count == 0) return;
  const auto after = missing_.lower_bound(first);
  PEER_CHECK(after == missing_.end() || first + count <= after->first);  // a span is returned once
  if (after != missing_.begin()) {
    const auto before = std::prev(after);
    PEER_CHECK(before->first + before->second <= first);
    if (before->first + before->second == first) {
      first = before->first;
      count += before->second;
      missing_.erase(before);
    }
  }
  if (after != missing_.end() && after->first == first + count) {
    count += after->second;
    missing_.erase(after);
  }
  missing_.emplace(first, count);
}

}  // namespace peer::transfer
