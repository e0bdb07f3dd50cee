// How wide text is on a terminal: wide characters take two columns, combining ones none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace peer::ctl {

std::size_t columns(std::string_view text) noexcept;

/// As much of the beginning, or of the end, as fits into `width` columns; combining characters stay with theirs.
std::string_view head(std::string_view text, std::size_t width) noexcept;
std::string_view tail(std::string_view text, std::size_t width) noexcept;

/// At most `width` columns: with an ellipsis in its middle, or at its end, if it was longer.
std::string shortened(std::string_view text, std::size_t width);
std::string cut(std::string_view text, std::size_t width);

/// Broken at blanks into lines of at most `width` columns, all but the first behind `indent` blanks. A width of 0: one
/// line.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace peer::ctl
