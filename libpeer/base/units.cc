#include "libpeer/base/units.h"

#include <charconv>
#include <cmath>

namespace peer {
namespace {

/// Splits "1.5h" into 1.5 and "h". Nothing if the text does not start with a non-negative number.
std::optional<double> consume_number(std::string_view& text) {
  double value = 0;
  if (text.empty() || (text.front() != '.' && (text.front() < '0' || text.front() > '9'))) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto number = consume_number(text);
  if (!number) return std::nullopt;
  double seconds = *number;
  if (text == "ms") {
    seconds /= 1000;
  } else if (text == "m") {
    seconds *= 60;
  } else if (text == "h") {
    seconds *= 3600;
  } else if (text != "s" && !text.empty()) {
    return std::nullopt;
  }
  if (seconds > 366.0 * 24 * 3600) return std::nullopt;
  return std::chrono::nanoseconds(std::llround(seconds * 1e9));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto number = consume_number(text);
  if (!number) return std::nullopt;
  double bytes = *number;
  if (!text.empty()) {
    static constexpr std::string_view kUnits = "KMGT";
    const std::size_t unit = kUnits.find(text);
    if (text.size() != 1 || unit == std::string_view::npos) return std::nullopt;
    bytes *= std::pow(1000.0, static_cast<double>(unit + 1));
  }
  if (bytes > 1e18) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(bytes));
}

std::string megabytes(std::uint64_t bytes) { return std::to_string((bytes + 999'999) / 1'000'000) + " MB"; }

}  // namespace peer
