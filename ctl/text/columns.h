// Measures and shortens UTF-8 text for a terminal. Wide characters occupy two columns, combining characters none.
//
// Source: Unicode 14, categories Mn, Me, Cf and East Asian Width
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace peer::ctl {

std::size_t columns(std::string_view text) noexcept;

/// The longest beginning (or end) of the text that fits into `width` columns. Combining characters are not separated
/// from their base.
std::string_view head(std::string_view text, std::size_t width) noexcept;
std::string_view tail(std::string_view text, std::size_t width) noexcept;

/// The text in at most `width` columns, with an ellipsis in the middle if it is too long.
std::string shortened(std::string_view text, std::size_t width);
/// The text in at most `width` columns, with an ellipsis at the end if it is too long.
std::string cut(std::string_view text, std::size_t width);

/// Breaks the text at spaces into lines of at most `width` columns, and indents all but the first. A width of 0 means
/// one line.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace peer::ctl
