#include <blake3.h>

#include "libpeer/protocol/manifest.h"

namespace peer::protocol {

Digest hash(std::span<const std::uint8_t> bytes) {
  Digest digest;
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  blake3_hasher_finalize(&hasher, digest.bytes.data(), digest.bytes.size());
  return digest;
}

}  // namespace peer::protocol
