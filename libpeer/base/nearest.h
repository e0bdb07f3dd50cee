// nearest(): the name that a user probably meant when mistyping it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace peer {

/// The candidate with the fewest wrong characters, if they are at most 2 or a third of the word. The last part of a
/// dotted name also matches in another section or alone.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace peer
