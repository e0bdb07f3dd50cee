#include <catch2/catch_test_macros.hpp>
#include <cctype>
#include <string>
#include <utility>

#include "libpeer/library/ignore.h"

namespace peer::library {

TEST_CASE("ignore: a named character class matches the same characters as in the C locale") {
  const std::pair<const char*, int (*)(int)> classes[] = {
      {"lower", std::islower}, {"upper", std::isupper},   {"alpha", std::isalpha}, {"digit", std::isdigit},
      {"alnum", std::isalnum}, {"xdigit", std::isxdigit}, {"space", std::isspace}, {"blank", std::isblank},
      {"punct", std::ispunct}, {"graph", std::isgraph},   {"print", std::isprint}, {"cntrl", std::iscntrl}};
  for (const auto& [name, matches] : classes) {
    const IgnoreRules rules("[[:" + std::string(name) + ":]]");
    for (int c = 1; c < 128; ++c) {
      if (c == '/') continue;
      INFO("[:" << name << ":], character " << c);
      CHECK(rules.ignored(std::string(1, static_cast<char>(c)), false) == (matches(c) != 0));
    }
  }
  CHECK_FALSE(IgnoreRules("[[:letter:]]").ignored("a", false));
}

}  // namespace peer::library
