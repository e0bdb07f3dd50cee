// IgnoreRules: what a game's .peerdignore leaves out, in gitignore's syntax.
//
// Comments, '!', '/' at the beginning, in the middle and at the end, '*', '?', '[...]', '**' and '\' mean what they
// mean in a .gitignore at the game's top; the last rule that matches decides. What lies below an ignored directory is
// not asked about. Limits: kMaxIgnoreRules rules of kMaxIgnoreRuleBytes; the file may come from another peer, so
// matching is polynomial.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace peer::library {

inline constexpr std::size_t kMaxIgnoreRules = 1000;
inline constexpr std::size_t kMaxIgnoreRuleBytes = 1024;
inline constexpr std::size_t kMaxIgnoreFileBytes = 256 << 10;
inline constexpr std::string_view kIgnoreFile = ".peerdignore";

class IgnoreRules {
 public:
  IgnoreRules() = default;
  explicit IgnoreRules(std::string_view text);

  bool empty() const noexcept { return rules_.empty(); }
  /// Rules beyond the limits; they are not applied.
  std::size_t dropped() const noexcept { return dropped_; }
  /// `path` is relative to the game, without a trailing '/'.
  bool ignored(std::string_view path, bool directory) const;

 private:
  struct Rule {
    std::vector<std::string> parts;  // between the slashes
    bool negated = false;
    bool directories_only = false;
    bool anchored = false;  // else it is about the last component alone
  };
  void add(std::string_view line);

  std::vector<Rule> rules_;
  std::size_t dropped_ = 0;
};

}  // namespace peer::library
