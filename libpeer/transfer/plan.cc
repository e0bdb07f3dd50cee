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
      ++chunks_had_;
      bytes_had_ += sizes_[chunk];
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

bool Planner::whole(const Holder& holder, std::uint64_t piece) const {
  for (std::uint64_t chunk = piece_begin_[piece]; chunk < piece_begin_[piece + 1]; ++chunk) {
    if (!holder.chunks[chunk]) return false;
  }
  return true;
}

void Planner::count_pieces(const Holder& holder, int by) {
  for (std::uint64_t piece = 0; piece < pieces(); ++piece) {
    if (whole(holder, piece)) partial_count_[piece] += static_cast<std::uint32_t>(by);
  }
}

Planner::Holder& Planner::holder(const PeerId& source) {
  const auto [at, is_new] = holders_.try_emplace(source);
  Holder& holder = at->second;
  if (is_new) {
    holder.next_piece = begin_;
  } else if (!holder.all) {
    count_pieces(holder, -1);
    --partial_holders_;
  }
  return holder;
}

void Planner::offers_all(const PeerId& source) {
  const auto known = holders_.find(source);
  if (known != holders_.end() && known->second.all) return;
  Holder& now = holder(source);
  now.all = true;
  now.chunks = {};
}

void Planner::offers(const PeerId& source, const std::vector<bool>& holds) {
  PEER_CHECK(holds.size() == have_.size());
  Holder& now = holder(source);
  now.all = false;
  now.chunks = holds;
  now.of_use = 0;
  for (std::size_t chunk = 0; chunk < holds.size(); ++chunk) now.of_use += holds[chunk] && !have_[chunk] ? 1 : 0;
  count_pieces(now, 1);
  ++partial_holders_;
}

void Planner::withdraws(const PeerId& source) {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return;
  if (!known->second.all) {
    count_pieces(known->second, -1);
    --partial_holders_;
  }
  holders_.erase(known);
}

bool Planner::is_of_use(const PeerId& source) const {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return false;
  return known->second.all ? !complete() : known->second.of_use > 0;
}

std::optional<std::uint64_t> Planner::first_open(const Holder& holder, std::uint64_t piece) const {
  if (open_[piece] == 0) return std::nullopt;
  for (std::uint64_t chunk = piece_begin_[piece]; chunk < piece_begin_[piece + 1]; ++chunk) {
    if (open(chunk) && holds(holder, chunk)) return chunk;
  }
  return std::nullopt;
}

/// The first of the rarest pieces from there on, round about.
std::optional<Planner::Choice> Planner::choose(const Holder& holder, std::uint64_t from) const {
  std::optional<Choice> best;
  for (std::uint64_t i = 0; i < pieces(); ++i) {
    const std::uint64_t piece = from + i < pieces() ? from + i : from + i - pieces();
    if (open_[piece] == 0) continue;
    if (best && partial_count_[piece] >= partial_count_[best->piece]) continue;
    const auto first = first_open(holder, piece);
    if (!first) continue;
    best = Choice{piece, *first, best.has_value()};
    if (partial_count_[piece] == 0) break;
  }
  return best;
}

/// Any of the pieces that so many partial holders have, each as likely.
std::optional<Planner::Choice> Planner::choose_any(const Holder& holder, std::uint32_t rarity) {
  std::vector<Choice> all;
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
  Holder& holder = known->second;
  auto choice = choose(holder, holder.next_piece);
  if (!choice) return std::nullopt;
  if (choice->piece != holder.next_piece) ++holder.run;
  if (choice->passed || (partial_holders_ > 0 && holder.run >= kRunPieces)) {
    choice = choose_any(holder, partial_count_[choice->piece]);
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

std::optional<Span> Planner::duplicate(const PeerId& source, const Span& span, std::uint64_t most) {
  const auto known = holders_.find(source);
  if (known == holders_.end()) return std::nullopt;
  Span copy;
  for (std::uint64_t chunk = span.first + span.count; chunk > span.first; --chunk) {
    const std::uint64_t last = chunk - 1;
    if (have_[last] || assigned_[last] != 1 || !holds(known->second, last)) {
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

void Planner::had(std::uint64_t chunk) {
  PEER_CHECK(chunk < have_.size());
  if (have_[chunk]) return;
  if (assigned_[chunk] == 0) --open_[piece_of(chunk)];  // found on this disk
  have_[chunk] = true;
  ++chunks_had_;
  bytes_had_ += size_of(chunk);
  for (auto& [id, holder] : holders_) {
    if (!holder.all && holder.chunks[chunk]) --holder.of_use;
  }
}

void Planner::released(const Span& span) {
  PEER_CHECK(span.first <= have_.size() && span.count <= have_.size() - span.first);
  for (std::uint64_t chunk = span.first; chunk < span.first + span.count; ++chunk) {
    PEER_CHECK(assigned_[chunk] > 0);  // a span is released once
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
