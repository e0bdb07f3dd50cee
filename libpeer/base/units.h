// Times and sizes as people write them: "5s", "1.5h", "256M".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peer {

/// A number with ms, s, m or h; a bare number is seconds. Nothing for anything else, or beyond a year.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// A number of bytes; K, M, G and T are powers of 1000. Nothing for anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// In whole megabytes, rounded up: "85 MB".
std::string megabytes(std::uint64_t bytes);

}  // namespace peer
