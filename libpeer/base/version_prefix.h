// What stands for a version where a person types one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace peer {

/// 8 to 64 hex digits, in lower case. Nothing: `text` is no such thing.
std::optional<std::string> version_prefix(std::string_view text);

}  // namespace peer
