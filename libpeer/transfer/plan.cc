#include "libpeer/transfer/plan.h"

#include <algorithm>
#include <iterator>

#include "libpeer/base/check.h"

namespace peer::transfer {

Planner::Planner(const protocol::Manifest& manifest, std::vector<bool> have, std::uint64_t seed)
    : have_(std::move(have)), random_(seeded_random(seed)) {
  const std::size_t chunks = manifest.chunks.size();
  PEER_CHECK(have_.size() == chunks);
  sizes_.reserve(chunks);
  for (const protocol::ManifestFile& file : manifest.files) {
    for (std::uint64_t offset = 0; offset < file.size; offset += protocol::kChunkSize) {
      sizes_.push_back(static_cast<std::uint32_t>(std::min(file.size - offset, protocol::kChunkSize)));
    }
  }
  PEER_CHECK(sizes_.size() == chunks);
  for (const std::uint32_t size : sizes_) bytes_total_ += size;
  const std::uint64_t piece_bytes = std::clamp(bytes_total_ / 1024, kMinPieceBytes, kMaxPieceBytes);
  std::uint64_t bytes = 0;
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const bool full =
        chunk > 0 && (bytes + sizes_[chunk] > piece_bytes || chunk - piece_begin_.back() == protocol::kMaxSpanChunks);
    if (chunk == 0 || full) {
      piece_begin_.push_back(chunk);
      open_.push_back(0);
      bytes = 0;
    }
    bytes += sizes_[chunk];
    if (have_[chunk]) {
      ++chunks_have_;
      bytes_have_ += sizes_[chunk];
    } else {
      ++open_.back();
    }
  }
  piece_begin_.push_back(chunks);
  assigned_.resize(chunks);
  partial_count_.resize(open_.size());
  if (pieces() > 0) begin_ = random_->below(pieces());
}

std::uint64_t Planner::piece_of(std::uint64_t chunk) const {
  const auto after = std::ranges::upper_bound(piece_begin_, chunk);
  return static_cast<std::uint64_t>(after - piece_begin_.begin()) - 1;
}

bool Planner::holds_piece(const SpanHolder& holder, std::uint64_t piece) const {
  for (std::uint64_t chunk = piece_begin_[piece]; chunk < piece_begin_[piece + 1]; ++chunk) {
    if (!holder.chunks[chunk]) return false;
  }
  return true;
}

void Planner::count_pieces(const SpanHolder& holder, int by) {
  for (std::uint64_t piece = 0; piece < pieces(); ++piece) {
    if (holds_piece(holder, piece)) partial_count_[piece] += static_cast<std::uint32_t>(by);
  }
}

/// The entry of a source. The pieces that a partial holder had are no longer counted.
Planner::SpanHolder& Planner::reset_holder(const PeerId& source) {
  const auto [at, is_new] = holders_.try_emplace(source);
  SpanHolder& holder = at->second;
  if (is_new) {
    holder.next_piece = begin_;
  } else if (!holder.all) {
    count_pieces(holder, -1);
    --partial_holders_;
  }
  return holder;
}

void Planner::offer_all(const PeerId& source) {
  const auto known = holders_.find(source);
  if (known != holders_.end() && known->second.all) return;
  SpanHolder& now = reset_holder(source);
  now.all = true;
  now.chunks = {};
}

void Planner::offer(const PeerId& source, const std::vector<bool>& holds) {
  PEER_CHECK(holds.size() == have_.size());
  SpanHolder& now = reset_holder(source);
  now.all = false;
  now.chunks = holds;
  now.useful = 0;
  for (std::size_t chunk = 0; chunk < holds.size(); ++chunk) now.useful += holds[chunk] && !have_[chunk] ? 1 : 0;
  count_pieces(now, 1);
  ++partial_holders_;
}

void Planner::withdraw(const PeerId& source) {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return;
  if (!known->second.all) {
    count_pieces(known->second, -1);
    --partial_holders_;
  }
  holders_.erase(known);
}

bool Planner::is_useful(const PeerId& source) const {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return false;
  return known->second.all ? !complete() : known->second.useful > 0;
}

std::optional<std::uint64_t> Planner::first_open(const SpanHolder& holder, std::uint64_t piece) const {
  if (open_[piece] == 0) return std::nullopt;
  for (std::uint64_t chunk = piece_begin_[piece]; chunk < piece_begin_[piece + 1]; ++chunk) {
    if (open(chunk) && holds(holder, chunk)) return chunk;
  }
  return std::nullopt;
}

/// The first of the rarest pieces, searched from piece `from` with wrap-around.
std::optional<Planner::PieceChoice> Planner::choose_rarest(const SpanHolder& holder, std::uint64_t from) const {
  std::optional<PieceChoice> best;
  for (std::uint64_t i = 0; i < pieces(); ++i) {
    const std::uint64_t piece = from + i < pieces() ? from + i : from + i - pieces();
    if (open_[piece] == 0) continue;
    if (best && partial_count_[piece] >= partial_count_[best->piece]) continue;
    const auto first = first_open(holder, piece);
    if (!first) continue;
    best = PieceChoice{piece, *first, best.has_value()};
    if (partial_count_[piece] == 0) break;
  }
  return best;
}

/// A random one of the pieces that exactly `rarity` partial holders have.
std::optional<Planner::PieceChoice> Planner::choose_random(const SpanHolder& holder, std::uint32_t rarity) {
  std::vector<PieceChoice> all;
  for (std::uint64_t piece = 0; piece < pieces(); ++piece) {
    if (open_[piece] == 0 || partial_count_[piece] != rarity) continue;
    if (const auto first = first_open(holder, piece)) all.push_back({piece, *first});
  }
  if (all.empty()) return std::nullopt;
  return all[static_cast<std::size_t>(random_->below(all.size()))];
}

std::optional<Span> Planner::next(const PeerId& source, std::uint64_t most) {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return std::nullopt;
  SpanHolder& holder = known->second;
  auto choice = choose_rarest(holder, holder.next_piece);
  if (!choice) return std::nullopt;
  if (choice->piece != holder.next_piece) ++holder.run;
  if (choice->passed || (partial_holders_ > 0 && holder.run >= kRunPieces)) {
    choice = choose_random(holder, partial_count_[choice->piece]);
    holder.run = 0;
  }
  const std::uint32_t rarity = partial_count_[choice->piece];
  Span span{choice->first, 0, 0};
  std::uint64_t piece = choice->piece;
  for (std::uint64_t chunk = span.first; chunk < have_.size() && span.count < protocol::kMaxSpanChunks; ++chunk) {
    if (chunk == piece_begin_[piece + 1]) {
      if (partial_count_[piece + 1] > rarity) break;
      ++piece;
    }
    if (!open(chunk) || !holds(holder, chunk)) break;
    if (span.count > 0 && span.bytes + size_of(chunk) > most) break;
    span.bytes += size_of(chunk);
    ++span.count;
    ++assigned_[chunk];
    --open_[piece];
  }
  holder.run += piece - choice->piece;
  holder.next_piece = piece;
  return span;
}

std::optional<Span> Planner::duplicate(const PeerId& source, const Span& span, std::uint64_t most,
                                       const std::function<bool(std::uint64_t chunk)>& stuck) {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return std::nullopt;
  Span copy;
  for (std::uint64_t chunk = span.first + span.count; chunk > span.first; --chunk) {
    const std::uint64_t last = chunk - 1;
    const bool free =
        assigned_[last] == 1 || (assigned_[last] > 1 && assigned_[last] < UINT8_MAX && stuck && stuck(last));
    if (have_[last] || !free || !holds(known->second, last)) {
      if (copy.count > 0) break;
      continue;
    }
    if (copy.count > 0 && copy.bytes + size_of(last) > most) break;
    copy.first = last;
    copy.bytes += size_of(last);
    ++copy.count;
    ++assigned_[last];
  }
  if (copy.count == 0) return std::nullopt;
  return copy;
}

void Planner::mark_have(std::uint64_t chunk) {
  PEER_CHECK(chunk < have_.size());
  if (have_[chunk]) return;
  if (assigned_[chunk] == 0) --open_[piece_of(chunk)];  // reused from this disk
  have_[chunk] = true;
  ++chunks_have_;
  bytes_have_ += size_of(chunk);
  for (auto& [id, holder] : holders_) {
    if (!holder.all && holder.chunks[chunk]) --holder.useful;
  }
}

void Planner::release(const Span& span) {
  PEER_CHECK(span.first <= have_.size() && span.count <= have_.size() - span.first);
  for (std::uint64_t chunk = span.first; chunk < span.first + span.count; ++chunk) {
    PEER_CHECK(assigned_[chunk] > 0);  // released more often than assigned
    if (--assigned_[chunk] == 0 && !have_[chunk]) ++open_[piece_of(chunk)];
  }
}

std::uint64_t Planner::bytes_missing(const Span& span) const {
  std::uint64_t bytes = 0;
  for (std::uint64_t chunk = span.first; chunk < span.first + span.count; ++chunk) {
    if (!have_[chunk]) bytes += size_of(chunk);
  }
  return bytes;
}

}  // namespace peer::transfer
