// Planner: decides which source fetches which span of chunks next. Pure: no I/O, no clock, no coroutines.
//
// A span is a run of consecutive chunks in manifest order, a few MiB long, so that ten thousand small files cost no
// more requests than one large file.
// 1. Every missing chunk is assigned to one source at a time. Only duplicate() assigns it to a second one, in the end
//    game.
// 2. A source is assigned only chunks that it holds.
// 3. The pieces that the fewest partial holders have come first. Among equally rare pieces a source continues in order.
//    All sources start at one piece, which the seed decides. A source jumps to a random one of the rarest pieces where
//    others have already been, and after kRunPieces if there are partial holders. So downloads that start together
//    fetch different parts, each of them in long runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "libpeer/base/digest.h"
#include "libpeer/base/random.h"
#include "libpeer/protocol/manifest.h"

namespace peer::transfer {

inline constexpr std::uint64_t kSpanBytes = 4 << 20;
/// A piece is a fixed run of chunks, about a thousandth of the game within these bounds. Rarity is counted by piece.
inline constexpr std::uint64_t kMinPieceBytes = 256 << 10;
inline constexpr std::uint64_t kMaxPieceBytes = 4 << 20;
/// Number of pieces that two downloads may fetch in lockstep before one of them jumps elsewhere.
inline constexpr std::uint64_t kRunPieces = 4;

struct Span {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Span&) const = default;
};

class Planner {
 public:
  /// `have`: one flag per chunk. The same seed gives the same plan.
  Planner(const protocol::Manifest& manifest, std::vector<bool> have, std::uint64_t seed);

  /// Records that a source holds every chunk.
  void offer_all(const PeerId& source);
  /// Records that a source holds these chunks, one flag per chunk. Replaces what it offered before.
  void offer(const PeerId& source, const std::vector<bool>& holds);
  /// Records that a source holds nothing. Its assigned spans stay assigned until release().
  void withdraw(const PeerId& source);
  /// Whether the source holds a chunk that is missing here, assigned or not.
  bool is_useful(const PeerId& source) const;

  /// Assigns the next span to a source: at most `most` bytes, but at least one chunk. Nothing if every chunk that it
  /// could deliver is assigned. The span stays assigned until release().
  std::optional<Span> next(const PeerId& source, std::uint64_t most);
  /// Assigns to a second source the end of a span that another source was assigned: missing chunks that this source
  /// holds and that no second source is assigned, at most `most` bytes. A chunk for which `stuck` returns true may be
  /// assigned to more sources.
  std::optional<Span> duplicate(const PeerId& source, const Span& span, std::uint64_t most,
                                const std::function<bool(std::uint64_t chunk)>& stuck = nullptr);
  /// Records that a chunk is verified and written.
  void mark_have(std::uint64_t chunk);
  /// Ends an assignment: the source has delivered the span or given it up. Its missing chunks may be assigned again.
  void release(const Span& span);

  /// Bytes of a span that are missing here.
  std::uint64_t bytes_missing(const Span& span) const;
  bool complete() const noexcept { return chunks_have_ == have_.size(); }
  const std::vector<bool>& have() const noexcept { return have_; }
  std::uint64_t bytes_have() const noexcept { return bytes_have_; }
  std::uint64_t bytes_total() const noexcept { return bytes_total_; }

 private:
  struct SpanHolder {
    bool all = false;
    std::vector<bool> chunks;      // unless all
    std::uint64_t useful = 0;      // number of `chunks` that are missing here
    std::uint64_t next_piece = 0;  // where it continues
    std::uint64_t run = 0;         // pieces since its last jump
  };
  std::uint32_t size_of(std::uint64_t chunk) const { return sizes_[static_cast<std::size_t>(chunk)]; }
  std::uint64_t pieces() const noexcept { return piece_begin_.size() - 1; }
  std::uint64_t piece_of(std::uint64_t chunk) const;
  bool holds(const SpanHolder& holder, std::uint64_t chunk) const { return holder.all || holder.chunks[chunk]; }
  bool open(std::uint64_t chunk) const { return !have_[chunk] && assigned_[chunk] == 0; }
  bool holds_piece(const SpanHolder& holder, std::uint64_t piece) const;
  void count_pieces(const SpanHolder& holder, int by);
  SpanHolder& reset_holder(const PeerId& source);
  std::optional<std::uint64_t> first_open(const SpanHolder& holder, std::uint64_t piece) const;
  struct PieceChoice {
    std::uint64_t piece;
    std::uint64_t first;  // chunk
    bool passed = false;  // the source also holds open pieces before this one, which are less rare
  };
  std::optional<PieceChoice> choose_rarest(const SpanHolder& holder, std::uint64_t from) const;
  std::optional<PieceChoice> choose_random(const SpanHolder& holder, std::uint32_t rarity);

  std::vector<std::uint32_t> sizes_;
  std::vector<bool> have_;
  std::vector<std::uint8_t> assigned_;        // number of sources that a chunk is assigned to
  std::vector<std::uint64_t> piece_begin_;    // first chunk of each piece, then the number of chunks
  std::vector<std::uint32_t> open_;           // chunks of a piece that are missing and not assigned
  std::vector<std::uint32_t> partial_count_;  // partial holders that have the whole piece
  std::map<PeerId, SpanHolder> holders_;
  std::size_t partial_holders_ = 0;
  std::unique_ptr<Random> random_;
  std::uint64_t begin_ = 0;  // the piece at which sources start
  std::uint64_t chunks_have_ = 0;
  std::uint64_t bytes_have_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace peer::transfer
