// Legal names and paths (INTERFACE: "legal path"). Refuse, never rewrite.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace peer::protocol {

/// Why a component is illegal; nothing if it is legal. UTF-8, 1 to 255 bytes, not "." or "..", no '/', NUL, control or
/// bidirectional-override characters, no backslash.
std::optional<std::string> component_problem(std::string_view component);
/// The same for a relative path of components joined by single '/'.
std::optional<std::string> path_problem(std::string_view path);
/// A game id: a legal component that does not start with '.'.
std::optional<std::string> game_id_problem(std::string_view id);
/// Why a symlink at `path` (relative to the game) to `target` is not an in-game relative one; nothing if it is.
std::optional<std::string> symlink_problem(std::string_view path, std::string_view target);
/// Printable for logs and terminals: illegal bytes as \xNN.
std::string printable(std::string_view text);

}  // namespace peer::protocol
