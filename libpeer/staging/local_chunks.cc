#include "libpeer/staging/local_chunks.h"

#include <algorithm>
#include <optional>
#include <span>

#include "libpeer/base/check.h"

namespace peer::staging {

namespace {

/// Missing chunks sorted by their hashes. A version may contain the same chunk several times.
///
/// A remote chooses the hashes. Sorting takes n log n steps whatever they are; a hash table would not.
class MissingChunks {
 public:
  /// Empty if `stop` was requested.
  MissingChunks(const protocol::Manifest& wanted, const std::vector<bool>& have, const runtime::StopFlag& stop)
      : wanted_(wanted) {
    for (std::size_t chunk = 0; chunk < have.size(); ++chunk) {
      if (!have[chunk]) sorted_.push_back(static_cast<std::uint32_t>(chunk));
    }
    sort(stop);
    if (stop.requested()) sorted_.clear();
    left_ = sorted_.size();
    found_.resize(sorted_.size());
  }

  bool empty() const noexcept { return left_ == 0; }
  /// The missing chunks with this hash, at the first call with it; afterwards none.
  std::span<const std::uint32_t> pop(const Digest& hash) {
    const auto by_hash = [this](std::uint32_t chunk) -> const Digest& { return wanted_.chunks[chunk]; };
    const auto equal = std::ranges::equal_range(sorted_, hash, {}, by_hash);
    if (equal.empty()) return {};
    const auto first = static_cast<std::size_t>(equal.begin() - sorted_.begin());
    if (found_[first]) return {};
    found_[first] = true;
    left_ -= equal.size();
    return {equal.begin(), equal.end()};
  }

 private:
  static constexpr std::size_t kBlock = 1 << 16;

  /// A merge sort, so that `stop` is checked between its steps.
  void sort(const runtime::StopFlag& stop) {
    const auto before = [this](std::uint32_t a, std::uint32_t b) {
      const auto order = wanted_.chunks[a] <=> wanted_.chunks[b];
      return order < 0 || (order == 0 && a < b);
    };
    const auto at = [this](std::size_t index) {
      return sorted_.begin() + static_cast<std::ptrdiff_t>(std::min(index, sorted_.size()));
    };
    for (std::size_t first = 0; first < sorted_.size() && !stop.requested(); first += kBlock) {
      std::sort(at(first), at(first + kBlock), before);
    }
    for (std::size_t width = kBlock; width < sorted_.size(); width *= 2) {
      for (std::size_t first = 0; first + width < sorted_.size() && !stop.requested(); first += 2 * width) {
        std::inplace_merge(at(first), at(first + width), at(first + 2 * width), before);
      }
    }
  }

  const protocol::Manifest& wanted_;
  std::vector<std::uint32_t> sorted_;
  std::vector<bool> found_;  // by the first index of a hash in sorted_
  std::size_t left_ = 0;
};
static_assert(protocol::kMaxGameChunks <= UINT32_MAX);

}  // namespace

LocalCopies find_local_copies(const library::Snapshot& snapshot, const protocol::Manifest& wanted,
                              const std::vector<bool>& have, const runtime::StopFlag& stop) {
  PEER_CHECK(have.size() == wanted.chunks.size());
  LocalCopies found;
  MissingChunks missing(wanted, have, stop);
  for (const auto& game : snapshot.games) {
    if (missing.empty() || stop.requested()) break;
    if (!game->offered) continue;
    const protocol::Manifest& manifest = game->offered->document->manifest;
    bool any = false;
    for (std::size_t file = 0; file < manifest.files.size(); ++file) {
      const protocol::ManifestFile& entry = manifest.files[file];
      for (std::uint64_t i = 0; i < entry.chunk_count() && !stop.requested(); ++i) {
        if (!game->offered->holds(entry.first_chunk + i, 1)) continue;
        const std::uint64_t offset = i * protocol::kChunkSize;
        for (const std::uint32_t chunk : missing.pop(manifest.chunks[entry.first_chunk + i])) {
          found.copies.push_back({chunk, found.games.size(), {file, offset}});
          found.bytes += std::min(entry.size - offset, protocol::kChunkSize);
          any = true;
        }
      }
    }
    if (any) found.games.push_back(game);
  }
  return found;
}

Result<Reused> copy_local(store::Disk& disk, Staging& staging, const LocalCopies& copies, std::size_t next,
                          std::uint64_t limit, const runtime::StopFlag& stop) {
  Reused reused{next, {}};
  std::optional<library::GameReader> reader;
  std::size_t reading = 0;  // index of the game that `reader` reads
  std::vector<std::uint8_t> buffer(protocol::kChunkSize);
  std::uint64_t bytes = 0;
  for (; reused.next < copies.copies.size() && bytes < limit && !stop.requested(); ++reused.next) {
    const LocalCopy& copy = copies.copies[reused.next];
    const auto& game = copies.games[copy.game];
    if (!reader || reading != copy.game) {
      reader.emplace(disk, game, game->offered);
      reading = copy.game;
    }
    const std::uint64_t left = game->offered->document->manifest.files[copy.position.file].size - copy.position.offset;
    const auto chunk = std::span(buffer).first(static_cast<std::size_t>(std::min(left, protocol::kChunkSize)));
    library::GameReader::Position at = copy.position;
    if (!reader->fill(at, chunk)) continue;
    std::uint64_t written = 0;
    const Result<void> done = staging.write({copy.chunk, 1, chunk}, written);
    if (!done && done.error().code != ErrorCode::invalid) return std::unexpected(done.error());
    if (!done) continue;
    bytes += chunk.size();
    reused.chunks.push_back(copy.chunk);
  }
  return reused;
}

}  // namespace peer::staging
