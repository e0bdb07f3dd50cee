#include "libpeer/base/version_prefix.h"

#include <cstddef>

#include "libpeer/base/hex.h"

namespace peer {

std::optional<std::string> version_prefix(std::string_view text) {
  constexpr std::size_t kLeast = 8;
  constexpr std::size_t kAll = 64;
  if (text.size() < kLeast || text.size() > kAll) return std::nullopt;
  std::string digits;
  for (const char c : text) {
    const int value = hex_digit(c);
    if (value < 0) return std::nullopt;
    digits += "0123456789abcdef"[value];
  }
  return digits;
}

}  // namespace peer
