#include "libpeer/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace peer {
namespace {

/// The number of characters to change, add or remove.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::optional<std::string> best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  const auto last_part = [](std::string_view text) { return text.substr(text.rfind('.') + 1); };
  for (const std::string_view candidate : candidates) {
    // Skips the comparison, which is slow for long words, if the lengths alone rule the candidate out.
    const std::size_t longer = std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
    std::size_t steps = longer < least ? distance(word, candidate) : least;
    // The right key in another section or without one.
    if (last_part(word) == last_part(candidate)) steps = std::min<std::size_t>(steps, 2);
    if (steps < least) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}

}  // namespace peer
