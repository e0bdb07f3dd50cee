// Planner: which source fetches which span of chunks next. Pure: no I/O, no clock, no coroutines.
//
// A span is a run of consecutive chunks in manifest order, about kSpanBytes long, so that ten thousand small files cost
// no more requests than one large file. Every missing chunk is assigned to at most one source at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "protocol/manifest.h"

namespace peer::transfer {

inline constexpr std::uint64_t kSpanBytes = 4 << 20;

struct Span {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Span&) const = default;
};

class Planner {
 public:
  /// `have`: one flag a chunk.
  Planner(const protocol::Manifest& manifest, std::vector<bool> have);

  /// The next span for any source; nothing when all that is missing is assigned. It is assigned until had() or
  /// returned().
  std::optional<Span> next();
  /// A chunk is verified and written.
  void had(std::uint64_t chunk);
  /// A source gave up on a span: those of its chunks that are not had are missing again.
  void returned(const Span& span);

  bool complete() const noexcept { return chunks_had_ == have_.size(); }
  const std::vector<bool>& have() const noexcept { return have_; }
  std::uint64_t bytes_had() const noexcept { return bytes_had_; }
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }

 private:
  std::uint32_t size_of(std::uint64_t chunk) const;
  void add_missing(std::uint64_t first, std::uint64_t count);

  std::vector<std::uint32_t> sizes_;
  std::vector<bool> have_;
  std::map<std::uint64_t, std::uint64_t> missing_;  // first -> count: unassigned runs, disjoint and not adjacent
  std::uint64_t chunks_had_ = 0;
  std::uint64_t bytes_had_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace peer::transfer
