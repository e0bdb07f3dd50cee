#include "libpeer/library/ignore.h"

#include <array>
#include <optional>
#include <span>

namespace peer::library {

namespace {

using Offset = std::string_view::size_type;

bool in_named_class(std::string_view name, unsigned char c) {
  const bool lower = c >= 'a' && c <= 'z';
  const bool upper = c >= 'A' && c <= 'Z';
  const bool digit = c >= '0' && c <= '9';
  const bool graph = c > ' ' && c < 0x7f;
  if (name == "lower") return lower;
  if (name == "upper") return upper;
  if (name == "alpha") return lower || upper;
  if (name == "digit") return digit;
  if (name == "alnum") return lower || upper || digit;
  if (name == "xdigit") return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "punct") return graph && !(lower || upper || digit);
  if (name == "graph") return graph;
  if (name == "print") return graph || c == ' ';
  if (name == "cntrl") return c < ' ' || c == 0x7f;
  return false;
}

struct ClassMatch {
  bool matches;
  Offset end;  // after the ']'
};

/// Matches the bracket expression that begins at pattern[at] == '['. Nothing if it has no end.
std::optional<ClassMatch> match_class(std::string_view pattern, Offset at, unsigned char c) {
  ++at;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (bool first = true;; first = false) {
    if (at >= pattern.size()) return std::nullopt;
    if (pattern[at] == ']' && !first) return ClassMatch{found != negated, at + 1};
    if (pattern.substr(at).starts_with("[:")) {
      const Offset end = pattern.find(":]", at + 2);
      if (end != pattern.npos) {
        found = found || in_named_class(pattern.substr(at + 2, end - at - 2), c);
        at = end + 2;
        continue;
      }
    }
    if (pattern[at] == '\\') ++at;
    if (at >= pattern.size()) return std::nullopt;
    const auto low = static_cast<unsigned char>(pattern[at++]);
    unsigned char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      if (pattern[at] == '\\') ++at;
      if (at >= pattern.size()) return std::nullopt;
      high = static_cast<unsigned char>(pattern[at++]);
    }
    found = found || (c >= low && c <= high);
  }
}

/// Whether the one-character element at pattern[at] matches `c`; if so, `at` moves past the element.
bool match_one(std::string_view pattern, Offset& at, char c) {
  switch (pattern[at]) {
    case '?': ++at; return true;
    case '[':
      if (const auto result = match_class(pattern, at, static_cast<unsigned char>(c))) {
        if (result->matches) at = result->end;
        return result->matches;
      }
      break;
    case '\\':
      if (at + 1 < pattern.size()) {
        if (pattern[at + 1] != c) return false;
        at += 2;
        return true;
      }
      break;
    default: break;
  }
  if (pattern[at] != c) return false;
  ++at;
  return true;
}

/// Matches one component. It backtracks to the last '*' only, so the time is at most the product of the lengths.
bool match_component(std::string_view pattern, std::string_view text) {
  Offset p = 0;
  Offset t = 0;
  std::optional<std::pair<Offset, Offset>> star;  // positions after the last '*', and after the text that it matches
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = {++p, t};
      continue;
    }
    if (p < pattern.size() && match_one(pattern, p, text[t])) {
      ++t;
      continue;
    }
    if (!star) return false;
    p = star->first;
    t = ++star->second;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// The same algorithm for components, with "**" as the star.
bool match_parts(std::span<const std::string> pattern, std::span<const std::string_view> path) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::pair<std::size_t, std::size_t>> star;
  while (t < path.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      if (++p == pattern.size()) return true;  // "a/**" matches everything below a
      star = {p, t};
      continue;
    }
    if (p < pattern.size() && match_component(pattern[p], path[t])) {
      ++p;
      ++t;
      continue;
    }
    if (!star) return false;
    p = star->first;
    t = ++star->second;
  }
  return p == pattern.size();  // a final "**" must match at least one component
}

}  // namespace

IgnoreRules::IgnoreRules(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    const Offset end = text.find('\n');
    add(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
}

void IgnoreRules::add(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
  if (line.empty() || line.front() == '#') return;
  Rule rule;
  if (line.front() == '!') {
    rule.negated = true;
    line.remove_prefix(1);
  }
  if (line.ends_with('/')) {
    rule.directories_only = true;
    line.remove_suffix(1);
  }
  rule.anchored = line.contains('/');
  if (line.starts_with('/')) line.remove_prefix(1);
  if (line.empty()) return;
  if (rules_.size() == kMaxIgnoreRules || line.size() > kMaxIgnoreRuleBytes) {
    ++dropped_;
    return;
  }
  for (Offset slash; (slash = line.find('/')) != line.npos; line.remove_prefix(slash + 1)) {
    rule.parts.emplace_back(line.substr(0, slash));
  }
  rule.parts.emplace_back(line);
  rules_.push_back(std::move(rule));
}

bool IgnoreRules::ignored(std::string_view path, bool directory) const {
  if (rules_.empty()) return false;
  std::vector<std::string_view> parts;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->directories_only && !directory) continue;
    bool matches;
    if (rule->anchored) {
      if (parts.empty()) {
        for (std::string_view rest = path;;) {
          const Offset slash = rest.find('/');
          parts.push_back(rest.substr(0, slash));
          if (slash == rest.npos) break;
          rest.remove_prefix(slash + 1);
        }
      }
      matches = match_parts(rule->parts, parts);
    } else {
      matches = match_component(rule->parts.front(), name);
    }
    if (matches) return !rule->negated;
  }
  return false;
}

}  // namespace peer::library
