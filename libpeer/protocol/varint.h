// Reads and writes unsigned LEB128 numbers in their shortest form, and other parts of the binary encodings.
//
// Source: docs/protocol.md, section 6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace peer::protocol {

inline void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

/// Writes 8 bytes, big-endian, two's complement.
inline void put_int64(std::vector<std::uint8_t>& out, std::int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
  }
}

/// Reads numbers and bytes from the front of a buffer. Every function returns nothing if the buffer is too short or the
/// number is not valid.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  std::size_t remaining() const noexcept { return rest_.size(); }

  std::optional<std::span<const std::uint8_t>> read(std::uint64_t count) {
    if (count > rest_.size()) return std::nullopt;
    const auto bytes = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(static_cast<std::size_t>(count));
    return bytes;
  }

  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const std::uint8_t byte = rest_[i];
      if (i == 9 && byte > 1) return std::nullopt;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if ((byte & 0x80) != 0) continue;
      if (byte == 0 && i > 0) return std::nullopt;
      rest_ = rest_.subspan(i + 1);
      return value;
    }
    return std::nullopt;
  }

  std::optional<std::int64_t> int64() {
    const auto bytes = read(8);
    if (!bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (const std::uint8_t byte : *bytes) value = value << 8 | byte;
    return static_cast<std::int64_t>(value);
  }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace peer::protocol
