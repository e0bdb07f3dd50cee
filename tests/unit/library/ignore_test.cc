#include "libpeer/library/ignore.h"

#include <catch2/catch_test_macros.hpp>

namespace peer::library {

TEST_CASE("ignore: rules have the same meaning as in .gitignore") {
  struct Case {
    const char* rules;
    const char* path;
    bool directory;
    bool ignored;
  };
  const Case cases[] = {
      // A name matches at any depth, an anchored path only from the top.
      {"save", "save", false, true},
      {"save", "a/b/save", true, true},
      {"save", "saves", false, false},
      {"/save", "save", false, true},
      {"/save", "a/save", false, false},
      {"a/save", "a/save", false, true},
      {"a/save", "b/a/save", false, false},
      // Directories only.
      {"logs/", "logs", true, true},
      {"logs/", "logs", false, false},
      {"a/logs/", "a/logs", true, true},
      {"/logs/", "a/logs", true, false},
      // A star does not match a slash.
      {"*.log", "x.log", false, true},
      {"*.log", "a/.log", false, true},
      {"a/*.log", "a/x.log", false, true},
      {"a/*.log", "a/b/x.log", false, false},
      {"*a*b*c", "xxaxxbxxc", false, true},
      {"*a*b*c", "xxaxxbxx", false, false},
      {"save?.dat", "save1.dat", false, true},
      {"save?.dat", "save.dat", false, false},
      {"a?b", "a/b", false, false},
      // Classes.
      {"[a-c]x", "bx", false, true},
      {"[a-c]x", "dx", false, false},
      {"[!a-c]x", "dx", false, true},
      {"[^a-c]x", "ax", false, false},
      {"[]x]", "]", false, true},
      {"[a-]", "-", false, true},
      {"[[:digit:]]", "7", false, true},
      {"[[:digit:]x]", "x", false, true},
      {"[[:upper:]]", "a", false, false},
      {"[\\]]", "]", false, true},
      {"[a", "[a", false, true},
      // Double stars.
      {"**/x", "x", false, true},
      {"**/x", "a/b/x", false, true},
      {"a/**", "a", true, false},
      {"a/**", "a/b", false, true},
      {"a/**", "a/b/c", false, true},
      {"a/**/b", "a/b", false, true},
      {"a/**/b", "a/x/y/b", false, true},
      {"a/**/b", "a/x/y/c", false, false},
      {"**/a/**/b/*.c", "x/a/b/y/b/z.c", false, true},
      {"a**b", "axxb", false, true},
      {"**", "anything/at/all", false, true},
      // The last matching rule decides.
      {"*.dat\n!keep.dat", "keep.dat", false, false},
      {"*.dat\n!keep.dat", "lose.dat", false, true},
      {"!keep.dat\n*.dat", "keep.dat", false, true},
      // Comments, blanks, escapes, line endings.
      {"# x\n\n   \ny", "x", false, false},
      {"#x", "#x", false, false},
      {"\\#x", "#x", false, true},
      {"\\!x", "!x", false, true},
      {"x   ", "x", false, true},
      {"x\\ ", "x ", false, true},
      {"x\r\ny\r\n", "x", false, true},
      {"\xef\xbb\xbfx", "x", false, true},
      {"\\*", "*", false, true},
      {"\\*", "x", false, false},
      {"/", "x", true, false},
      {"", "x", false, false},
      {"x\\", "x", false, false},
  };
  for (const Case& each : cases) {
    INFO("rules '" << each.rules << "', path '" << each.path << "'");
    CHECK(IgnoreRules(each.rules).ignored(each.path, each.directory) == each.ignored);
  }
}

TEST_CASE("ignore: rules beyond the limits are counted and ignored") {
  std::string text;
  for (std::size_t i = 0; i < kMaxIgnoreRules; ++i) text += "r" + std::to_string(i) + "\n";
  text += "late\n" + std::string(kMaxIgnoreRuleBytes + 1, 'x') + "\n";
  const IgnoreRules rules(text);
  CHECK(rules.dropped() == 2);
  CHECK(rules.ignored("r7", false));
  CHECK_FALSE(rules.ignored("late", false));
}

TEST_CASE("ignore: matching a hostile pattern takes time in proportion to the product of the lengths") {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  std::string deep;
  for (int i = 0; i < 250; ++i) deep += "**/a/";
  const IgnoreRules rules(pattern + "b\n" + deep + "b\n");
  std::string path = "a";
  for (int i = 0; i < 1000; ++i) path += "/a";
  CHECK_FALSE(rules.ignored(path, false));
  CHECK_FALSE(rules.ignored(std::string(255, 'a'), false));
}

}  // namespace peer::library
