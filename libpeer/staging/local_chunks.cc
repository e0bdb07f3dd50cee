#include "libpeer/staging/local_chunks.h"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>

#include "libpeer/base/check.h"

namespace peer::staging {

namespace {

/// The missing chunks by hash. A version may contain the same chunk several times.
std::unordered_multimap<Digest, std::uint64_t> missing_by_content(const protocol::Manifest& wanted,
                                                                  const std::vector<bool>& have) {
  std::unordered_multimap<Digest, std::uint64_t> missing;
  for (std::uint64_t chunk = 0; chunk < have.size(); ++chunk) {
    if (!have[chunk]) missing.emplace(wanted.chunks[chunk], chunk);
  }
  return missing;
}

}  // namespace

LocalCopies find_local_copies(const library::Snapshot& snapshot, const protocol::Manifest& wanted,
                              const std::vector<bool>& have, const runtime::StopFlag& stop) {
  PEER_CHECK(have.size() == wanted.chunks.size());
  LocalCopies found;
  auto missing = missing_by_content(wanted, have);
  for (const auto& game : snapshot.games) {
    if (missing.empty() || stop.requested()) break;
    if (!game->offered) continue;
    const protocol::Manifest& manifest = game->offered->document->manifest;
    bool any = false;
    for (std::size_t file = 0; file < manifest.files.size(); ++file) {
      const protocol::ManifestFile& entry = manifest.files[file];
      for (std::uint64_t i = 0; i < entry.chunk_count(); ++i) {
        if (!game->offered->holds(entry.first_chunk + i, 1)) continue;
        const auto [first, last] = missing.equal_range(manifest.chunks[entry.first_chunk + i]);
        if (first == last) continue;
        const std::uint64_t offset = i * protocol::kChunkSize;
        for (auto at = first; at != last; ++at) {
          found.copies.push_back({at->second, found.games.size(), {file, offset}});
          found.bytes += std::min(entry.size - offset, protocol::kChunkSize);
        }
        missing.erase(first, last);
        any = true;
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
