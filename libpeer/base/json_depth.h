// The nesting depth of JSON, computed before the text is parsed.
#pragma once

#include <cstddef>
#include <string_view>

namespace peer {

/// The nesting depth of arrays and objects in `text`. Unspecified for malformed JSON.
std::size_t json_depth(std::string_view text) noexcept;

}  // namespace peer
