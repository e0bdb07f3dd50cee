// 32-byte values, shown as 64 hex digits: content hashes (BLAKE3-256), versions and peer ids.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace peer {

/// Two lower-case hex digits for each byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

/// A 32-byte value. The tag gives hashes and ids different types.
template <class Tag>
struct Bytes32 {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Bytes32&) const = default;
  std::string hex() const { return to_hex(bytes); }
  /// The first 12 digits, as shown to people.
  std::string brief() const { return hex().substr(0, 12); }
  /// Nothing unless `text` is 64 hex digits of either case.
  static std::optional<Bytes32> from_hex(std::string_view text);
};

struct DigestTag;
struct PeerIdTag;
using Digest = Bytes32<DigestTag>;  ///< BLAKE3-256 of a chunk, or of a manifest's canonical encoding (a version)
using PeerId = Bytes32<PeerIdTag>;  ///< SHA-256 of the SPKI in a peer's certificate

}  // namespace peer

template <class Tag>
struct std::hash<peer::Bytes32<Tag>> {
  std::size_t operator()(const peer::Bytes32<Tag>& value) const noexcept {
    std::size_t word;
    std::memcpy(&word, value.bytes.data(), sizeof word);
    return word;
  }
};
