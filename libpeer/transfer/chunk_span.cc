#include "libpeer/transfer/chunk_span.h"

#include <algorithm>
#include <string>

namespace peer::transfer {

bool lies_within(const protocol::Manifest& manifest, const protocol::ChunksRoute& route) {
  const std::uint64_t chunks = manifest.chunks.size();
  return route.first < chunks && route.count <= chunks - route.first;
}

Result<ChunkSpan> locate_span(const protocol::Manifest& manifest, const protocol::ChunksRoute& route) {
  if (route.count == 0 || route.count > protocol::kMaxSpanChunks || !lies_within(manifest, route)) {
    return fail(ErrorCode::invalid, "chunks first=" + std::to_string(route.first) +
                                        " count=" + std::to_string(route.count) + ": the game has " +
                                        std::to_string(manifest.chunks.size()) + " chunks, and a request takes 1 to " +
                                        std::to_string(protocol::kMaxSpanChunks));
  }
  const protocol::ChunkPlace first = manifest.place(static_cast<std::size_t>(route.first));
  ChunkSpan span{{first.file, first.offset}, 0};
  // One step per file, so that a span of thousands of chunks takes few steps.
  std::uint64_t left = route.count;
  std::uint64_t offset = first.offset;
  for (std::size_t file = first.file; left > 0; ++file, offset = 0) {
    const std::uint64_t rest = manifest.files[file].size - offset;
    const std::uint64_t here = std::min(left, (rest + protocol::kChunkSize - 1) / protocol::kChunkSize);
    span.bytes += std::min(rest, here * protocol::kChunkSize);
    left -= here;
  }
  if (span.bytes > protocol::kMaxSpanBytes) {
    return fail(ErrorCode::invalid, "the requested chunks have " + std::to_string(span.bytes) +
                                        " bytes, and a request takes at most " +
                                        std::to_string(protocol::kMaxSpanBytes));
  }
  return span;
}

}  // namespace peer::transfer
