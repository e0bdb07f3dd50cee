// Planner: which source fetches which span of chunks next. Pure: no I/O, no clock, no coroutines.
//
// A span is a run of consecutive chunks in manifest order, some MiB long, so that ten thousand small files cost no more
// requests than one large file.
// 1. Every missing chunk is assigned to one source at a time, and to two only by duplicate(), in the end game.
// 2. A source is only given what it holds.
// 3. What fewest partial holders have comes first. Among equals each source goes on where it was; all begin at the same
//    place, which the seed decides, and where somebody else has been already they jump, and among
//    partial holders after kRunPieces in any case. So downloads that begin together fetch different parts, and each
//    of them in long runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/random.h"
#include "libpeer/protocol/manifest.h"

namespace peer::transfer {

inline constexpr std::uint64_t kSpanBytes = 4 << 20;
/// Chunks are counted by the piece: a fixed run of them, of about a thousandth of the game within these bounds.
inline constexpr std::uint64_t kMinPieceBytes = 256 << 10;
inline constexpr std::uint64_t kMaxPieceBytes = 4 << 20;
/// Two downloads that have come to fetch the same part at the same time do so for no longer.
inline constexpr std::uint64_t kRunPieces = 4;

struct Span {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Span&) const = default;
};

class Planner {
 public:
  /// `have`: one flag a chunk. The same seed plans the same.
  Planner(const protocol::Manifest& manifest, std::vector<bool> have, std::uint64_t seed);

  /// A source holds everything; or these chunks, one flag each, instead of what it held before.
  void offers_all(const PeerId& source);
  void offers(const PeerId& source, const std::vector<bool>& holds);
  /// It holds nothing any more. What it is assigned stays so until released().
  void withdraws(const PeerId& source);
  /// It holds something that is missing here, assigned or not.
  bool is_of_use(const PeerId& source) const;

  /// The next span for this source, of `most` bytes or a single chunk: nothing when all that it could bring is
  /// assigned. The span is assigned until released().
  std::optional<Span> next(const PeerId& source, std::uint64_t most);
  /// Of a span that another source is assigned: what is still missing at its end, at most so much, if this source holds
  /// it and nobody else is a second time assigned to it.
  std::optional<Span> duplicate(const PeerId& source, const Span& span, std::uint64_t most);
  /// A chunk is verified and written.
  void had(std::uint64_t chunk);
  /// The source has brought it or given up: those of its chunks that are not had may be assigned anew.
  void released(const Span& span);

  /// Of a span, what is not had.
  std::uint64_t bytes_missing(const Span& span) const;
  bool complete() const noexcept { return chunks_had_ == have_.size(); }
  const std::vector<bool>& have() const noexcept { return have_; }
  std::uint64_t bytes_had() const noexcept { return bytes_had_; }
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }

 private:
  struct Holder {
    bool all = false;
    std::vector<bool> chunks;      // unless all
    std::uint64_t of_use = 0;      // how many of them are missing here
    std::uint64_t next_piece = 0;  // where it goes on
    std::uint64_t run = 0;         // pieces since it jumped
  };
  std::uint32_t size_of(std::uint64_t chunk) const { return sizes_[static_cast<std::size_t>(chunk)]; }
  std::uint64_t pieces() const noexcept { return piece_begin_.size() - 1; }
  std::uint64_t piece_of(std::uint64_t chunk) const;
  bool holds(const Holder& holder, std::uint64_t chunk) const { return holder.all || holder.chunks[chunk]; }
  bool open(std::uint64_t chunk) const { return !have_[chunk] && assigned_[chunk] == 0; }
  bool whole(const Holder& holder, std::uint64_t piece) const;
  void count_pieces(const Holder& holder, int by);
  Holder& holder(const PeerId& source);
  std::optional<std::uint64_t> first_open(const Holder& holder, std::uint64_t piece) const;
  struct Choice {
    std::uint64_t piece;
    std::uint64_t first;  // chunk
    bool passed = false;  // by pieces that it could have brought too, which more have
  };
  std::optional<Choice> choose(const Holder& holder, std::uint64_t from) const;
  std::optional<Choice> choose_any(const Holder& holder, std::uint32_t rarity);

  std::vector<std::uint32_t> sizes_;
  std::vector<bool> have_;
  std::vector<std::uint8_t> assigned_;        // to how many sources
  std::vector<std::uint64_t> piece_begin_;    // its first chunk; one more at the end
  std::vector<std::uint32_t> open_;           // chunks of a piece that are neither had nor assigned
  std::vector<std::uint32_t> partial_count_;  // partial holders that have the whole piece
  std::map<PeerId, Holder> holders_;
  std::size_t partial_holders_ = 0;
  std::unique_ptr<Random> random_;
  std::uint64_t begin_ = 0;  // the piece at which sources begin
  std::uint64_t chunks_had_ = 0;
  std::uint64_t bytes_had_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace peer::transfer
