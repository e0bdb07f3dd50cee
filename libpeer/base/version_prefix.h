// The prefix of a version that a user may type instead of the whole version.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace peer {

/// Returns `text` in lower case if it is 8 to 64 hex digits, otherwise nothing.
std::optional<std::string> version_prefix(std::string_view text);

}  // namespace peer
