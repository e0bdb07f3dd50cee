#include "libpeer/protocol/path.h"

#include <cstdint>

#include "libpeer/protocol/limits.h"

namespace peer::protocol {

namespace {

// A UTF-8 sequence: its length (0 if it is not well-formed) and its code point.
struct Utf8Sequence {
  std::size_t length = 0;
  char32_t code = 0;
};

Utf8Sequence first_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  if (text.empty()) return {};
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  std::size_t length = 0;
  char32_t least = 0;
  char32_t code = 0;
  if ((lead & 0xe0) == 0xc0) {
    length = 2, least = 0x80, code = lead & 0x1f;
  } else if ((lead & 0xf0) == 0xe0) {
    length = 3, least = 0x800, code = lead & 0x0f;
  } else if ((lead & 0xf8) == 0xf0) {
    length = 4, least = 0x10000, code = lead & 0x07;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {length, code};
}

bool is_control(char32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }
bool is_bidi_override(char32_t code) {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}
/// Characters that are not visible or that break a line: legal in names and paths, but not displayed as they are.
bool is_invisible(char32_t code) {
  return code == 0xad || code == 0x34f || code == 0x61c || code == 0x115f || code == 0x1160 || code == 0x17b4 ||
         code == 0x17b5 || (code >= 0x180b && code <= 0x180f) || (code >= 0x200b && code <= 0x200f) || code == 0x2028 ||
         code == 0x2029 || (code >= 0x2060 && code <= 0x2065) || (code >= 0x206a && code <= 0x206f) || code == 0x3164 ||
         code == 0xfeff || code == 0xffa0 || (code >= 0xfff0 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe0fff);
}

}  // namespace

std::optional<std::string> text_problem(std::string_view text) {
  while (true) {
    // Fast path: most text is ASCII.
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] >= ' ' && text[plain] <= '~') ++plain;
    text.remove_prefix(plain);
    if (text.empty()) return std::nullopt;
    const Utf8Sequence sequence = first_sequence(text);
    if (sequence.length == 0) return "is not UTF-8";
    if (is_control(sequence.code)) return "has a control character";
    if (is_bidi_override(sequence.code)) return "has a bidirectional-override character";
    text.remove_prefix(sequence.length);
  }
}

std::optional<std::string> name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) return "is longer than " + std::to_string(kMaxNameBytes) + " bytes";
  return text_problem(name);
}

std::optional<std::string> component_problem(std::string_view component) {
  if (component.empty()) return "has an empty component";
  if (component.size() > kMaxComponentBytes) {
    return "has a component longer than " + std::to_string(kMaxComponentBytes) + " bytes";
  }
  if (component == "." || component == "..") return "has a component '" + std::string(component) + "'";
  if (component.find('/') != std::string_view::npos) return "has a slash inside a component";
  if (component.find('\\') != std::string_view::npos) return "has a backslash";
  return text_problem(component);
}

std::optional<std::string> path_problem(std::string_view path) {
  if (path.empty()) return "is empty";
  if (path.size() > kMaxPathBytes) return "is longer than " + std::to_string(kMaxPathBytes) + " bytes";
  if (path.front() == '/') return "is absolute";
  for (std::size_t depth = 1;; ++depth) {
    if (depth > kMaxPathDepth) return "is deeper than " + std::to_string(kMaxPathDepth) + " components";
    const std::size_t slash = path.find('/');
    if (auto problem = component_problem(path.substr(0, slash))) return problem;
    if (slash == std::string_view::npos) return std::nullopt;
    path.remove_prefix(slash + 1);
  }
}

std::optional<std::string> game_id_problem(std::string_view id) {
  if (id.starts_with('.')) return "starts with '.'";
  return component_problem(id);
}

std::optional<std::string> symlink_problem(std::string_view path, std::string_view target) {
  if (target.empty()) return "is a symlink with an empty target";
  if (target.size() > kMaxPathBytes) {
    return "is a symlink whose target is longer than " + std::to_string(kMaxPathBytes) + " bytes";
  }
  if (target.front() == '/') return "is a symlink to an absolute path";
  std::size_t above = 0;  // directories between the game and the symlink
  for (const char c : path) above += c == '/';
  bool named = false;
  std::size_t components = 0;
  while (true) {
    const std::size_t slash = target.find('/');
    const std::string_view component = target.substr(0, slash);
    if (++components > kMaxPathDepth) {
      return "is a symlink whose target is deeper than " + std::to_string(kMaxPathDepth) + " components";
    }
    if (component == "..") {
      if (named) return "is a symlink whose target has '..' after a name";
      if (above == 0) return "is a symlink to a place outside the game";
      --above;
    } else if (!component.empty() && component != ".") {
      named = true;
      if (auto problem = component_problem(component)) return "is a symlink whose target " + *problem;
    }
    if (slash == std::string_view::npos) return std::nullopt;
    target.remove_prefix(slash + 1);
  }
}

std::string printable(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Sequence sequence = first_sequence(text);
    const std::size_t length = sequence.length == 0 ? 1 : sequence.length;
    if (sequence.length == 0 || sequence.code == '\\' || is_control(sequence.code) || is_bidi_override(sequence.code) ||
        is_invisible(sequence.code)) {
      for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<std::uint8_t>(c);
        out += "\\x";
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
      }
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string_view clip(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<std::uint8_t>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace peer::protocol
