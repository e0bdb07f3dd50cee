#include "libpeer/base/digest.h"

#include "libpeer/base/hex.h"

namespace peer {

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

template <class Tag>
std::optional<Bytes32<Tag>> Bytes32<Tag>::from_hex(std::string_view text) {
  Bytes32 value;
  if (text.size() != value.bytes.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < value.bytes.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    value.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return value;
}

template struct Bytes32<DigestTag>;
template struct Bytes32<PeerIdTag>;

}  // namespace peer
