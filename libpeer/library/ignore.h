// IgnoreRules: the rules of a game's .peerdignore file, in gitignore syntax.
//
// Comments, '!', '/' at the beginning, in the middle and at the end, '*', '?', '[...]', '**' and '\' have the same
// meaning as in a .gitignore file in the game's directory. The last matching rule decides. Callers do not check paths
// below an ignored directory. Limits: kMaxIgnoreRules rules of kMaxIgnoreRuleBytes each; matching takes
// polynomial time, because the file may come from another peer.
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
  /// Number of rules beyond the limits, which are ignored.
  std::size_t dropped() const noexcept { return dropped_; }
  /// `path` is relative to the game, without a trailing '/'.
  bool ignored(std::string_view path, bool directory) const;

 private:
  struct Rule {
    std::vector<std::string> parts;  ///< the components between slashes
    bool negated = false;
    bool directories_only = false;
    bool anchored = false;  ///< otherwise the rule applies to the last component only
  };
  void add(std::string_view line);

  std::vector<Rule> rules_;
  std::size_t dropped_ = 0;
};

}  // namespace peer::library
