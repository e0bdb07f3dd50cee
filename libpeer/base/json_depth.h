// How deep JSON nests, told before anything is built from it.
#pragma once

#include <cstddef>
#include <string_view>

namespace peer {

/// The depth of the arrays and objects in `text`, counted without parsing it; wrong JSON gets some number.
std::size_t json_depth(std::string_view text) noexcept;

}  // namespace peer
