// The rules for names and paths. Illegal ones are rejected, never changed.
//
// Source: docs/protocol.md, section 7.3.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace peer::protocol {

// These functions return what is wrong, as the end of a sentence ("is empty"), or nothing.

/// Text for people must be UTF-8 without control or bidirectional-override characters (C0, C1, DEL, U+202A to U+202E,
/// U+2066 to U+2069).
std::optional<std::string> text_problem(std::string_view text);
/// A peer's name: 1 to kMaxNameBytes bytes of such text.
std::optional<std::string> name_problem(std::string_view name);

/// A path component: 1 to 255 bytes of such text, not "." or "..", without '/' and backslash.
std::optional<std::string> component_problem(std::string_view component);
/// A relative path: components joined by single '/'.
std::optional<std::string> path_problem(std::string_view path);
/// A game id: a component that does not start with '.'.
std::optional<std::string> game_id_problem(std::string_view id);
/// A symlink at `path` (relative to the game) to `target`, which must be relative and stay inside the game. ".." is
/// allowed only before the first name: after a name that is itself a symlink, it would lead somewhere else.
std::optional<std::string> symlink_problem(std::string_view path, std::string_view target);
/// Makes text safe for logs and terminals: escapes illegal bytes, unsafe or invisible characters, line separators and
/// backslashes as \xNN.
std::string printable(std::string_view text);
/// The longest prefix of at most `bytes` bytes that does not split a character.
std::string_view clip(std::string_view text, std::size_t bytes);

}  // namespace peer::protocol
