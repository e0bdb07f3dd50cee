// Where a requested span of chunks begins in a game's files, and how many bytes it has. Pure.
#pragma once

#include <cstdint>

#include "libpeer/base/result.h"
#include "libpeer/library/game_reader.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/routes.h"

namespace peer::transfer {

struct ChunkSpan {
  library::ContentReader::Position from;
  std::uint64_t bytes = 0;
};

/// Whether the manifest has all the requested chunks.
bool lies_within(const protocol::Manifest& manifest, const protocol::ChunksRoute& route);

/// Fails: invalid for a span that the manifest does not have, or one of more chunks or bytes than a request may
/// contain.
Result<ChunkSpan> locate_span(const protocol::Manifest& manifest, const protocol::ChunksRoute& route);

}  // namespace peer::transfer
