// Durations and sizes as people write them: "5s", "1.5h", "256M".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peer {

/// Parses a number with ms, s, m or h, or a bare number of seconds. Nothing for other text or more than a year.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// Parses a number of bytes, optionally with K, M, G or T (powers of 1000). Nothing for other text.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// In whole megabytes, rounded up: "85 MB".
std::string megabytes(std::uint64_t bytes);

}  // namespace peer
