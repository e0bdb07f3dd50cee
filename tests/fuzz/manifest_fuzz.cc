// Any bytes are rejected as `invalid`, or are the canonical encoding of a manifest without conflicting entries.
#include <algorithm>

#include "libpeer/base/check.h"
#include "libpeer/protocol/manifest.h"
#include "oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  auto decoded = peer::protocol::decode_document(bytes);
  if (!decoded) {
    PEER_CHECK(decoded.error().code == peer::ErrorCode::invalid && !decoded.error().message.empty());
    return 0;
  }
  peer::protocol::ManifestDocument& document = decoded->document;
  PEER_CHECK(std::ranges::equal(encode(document), bytes));
  PEER_CHECK(peer::protocol::version_of(encode(document.manifest)) == decoded->version);
  PEER_CHECK(peer::protocol::validate(document.manifest));
  PEER_CHECK(peer::test::misplaced(document.manifest).empty());
  for (std::size_t chunk = 0; chunk < document.manifest.chunks.size(); ++chunk) {
    const auto place = document.manifest.place(chunk);
    PEER_CHECK(place.offset + place.size <= document.manifest.files[place.file].size);
  }
  PEER_CHECK(!to_json(document, decoded->version).empty());
  return 0;
}
