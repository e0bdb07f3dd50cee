// Legal names and paths (docs/protocol.md, 7.3). Illegal ones are refused, never rewritten.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace peer::protocol {

/// Why a text is unfit to be shown to people: not UTF-8, or with control or bidirectional-override characters (C0, C1,
/// DEL, U+202A to U+202E, U+2066 to U+2069); nothing if it is fit.
std::optional<std::string> text_problem(std::string_view text);
/// The same for a peer's name: 1 to kMaxNameBytes of such text.
std::optional<std::string> name_problem(std::string_view name);

/// Why a component is illegal; nothing if it is legal. UTF-8, 1 to 255 bytes, not "." or "..", no '/', NUL, control or
/// bidirectional-override characters, no backslash.
std::optional<std::string> component_problem(std::string_view component);
/// The same for a relative path of components joined by single '/'.
std::optional<std::string> path_problem(std::string_view path);
/// A game id: a legal component that does not start with '.'.
std::optional<std::string> game_id_problem(std::string_view id);
/// Why a symlink at `path` (relative to the game) to `target` is not an in-game relative one; nothing if it is. ".."
/// may stand only before the first name: behind a name that is itself a symlink it would lead elsewhere than it reads.
std::optional<std::string> symlink_problem(std::string_view path, std::string_view target);
/// Printable for logs and terminals: illegal bytes and backslashes as \xNN.
std::string printable(std::string_view text);
/// The longest beginning of at most `bytes` that does not cut a character in two.
std::string_view clip(std::string_view text, std::size_t bytes);

}  // namespace peer::protocol
