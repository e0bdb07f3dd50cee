// nearest: what a person may have meant by a mistyped name.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace peer {

/// The candidate that a typing error can explain best: at most a third of the word, or 2 characters, are wrong. The
/// last part of a dotted name may stand in the wrong section, or alone.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace peer
