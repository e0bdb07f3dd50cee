#include "libpeer/protocol/path.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/protocol/limits.h"

using namespace peer::protocol;

TEST_CASE("Legal paths are accepted") {
  for (const char* path : {"a", "a/b", ".peerdignore", "a/.hidden/..b", "Spiele/Müll (neu)/ü.dat", "c:d",
                           "日本語/ゲーム", "a b/ c ", "...", "CON", "a\xf0\x9f\x8e\xae"}) {
    CAPTURE(path);
    CHECK_FALSE(path_problem(path));
  }
  CHECK_FALSE(path_problem(std::string(255, 'x')));
}

TEST_CASE("Illegal paths are rejected") {
  using namespace std::string_literals;
  for (const std::string& path : {""s,
                                  "/"s,
                                  "/a"s,
                                  "a/"s,
                                  "a//b"s,
                                  "."s,
                                  ".."s,
                                  "a/../b"s,
                                  "./a"s,
                                  "a/."s,
                                  "a\\b"s,
                                  "a\0b"s,
                                  "a\nb"s,
                                  "\x7f"s,
                                  "a\xc2\x85"s,
                                  "a\xe2\x80\xae.exe"s,
                                  "\xe2\x81\xa6x"s,
                                  "\xff"s,
                                  "\xc0\xaf"s,
                                  "\xe0\x80\xaf"s,
                                  "\xed\xa0\x80"s,
                                  "\xf4\x90\x80\x80"s,
                                  "\xf0\x9f\x8e"s,
                                  "\x80"s,
                                  std::string(256, 'x')}) {
    CAPTURE(printable(path));
    CHECK(path_problem(path));
  }
}

TEST_CASE("Paths over the depth or length limit are rejected") {
  std::string path = "d";
  for (std::size_t depth = 1; depth < kMaxPathDepth; ++depth) path += "/d";
  CHECK_FALSE(path_problem(path));
  CHECK(path_problem(path + "/d"));
  std::string longest(249, 'x');
  while (longest.size() + 250 <= kMaxPathBytes) longest += "/" + std::string(249, 'x');
  CHECK_FALSE(path_problem(longest));
  CHECK(path_problem(longest + std::string(200, 'x')));
}

TEST_CASE("A game id is a component that does not start with a dot") {
  CHECK_FALSE(game_id_problem("Half Life"));
  for (const char* id : {"", ".", "..", ".hidden", "a/b", "a\\b", "\x1b[31m"}) CHECK(game_id_problem(id));
}

TEST_CASE("A symlink that leads out of the game is rejected") {
  CHECK_FALSE(symlink_problem("link", "file"));
  CHECK_FALSE(symlink_problem("lib/libx.so", "./libx.so.1"));
  CHECK_FALSE(symlink_problem("a/b/link", "../../c/d"));
  CHECK_FALSE(symlink_problem("a/b/link", "../.././c/"));
  CHECK_FALSE(symlink_problem("a/link", ".."));
  CHECK_FALSE(symlink_problem("link", "."));
  CHECK(symlink_problem("link", ""));
  CHECK(symlink_problem("link", "/etc/passwd"));
  CHECK(symlink_problem("link", ".."));
  CHECK(symlink_problem("a/link", "../.."));
  CHECK(symlink_problem("a/b/link", "../../../b"));
  CHECK(symlink_problem("a/b/link", "..//../../b"));
  CHECK(symlink_problem("link", "a\\b"));
  CHECK(symlink_problem("link", std::string("a\0b", 3)));
  CHECK(symlink_problem("link", "\xff"));
  CHECK(symlink_problem("link", std::string(kMaxPathBytes + 1, '/')));
}

TEST_CASE("A symlink target with '..' after a name is rejected") {
  // If "d/up" is a symlink to "..", then "d/up/.." is not "d" but leads out of the game.
  CHECK_FALSE(symlink_problem("d/up", ".."));
  CHECK(symlink_problem("link", "d/up/.."));
}

TEST_CASE("printable() escapes unsafe characters without ambiguity") {
  CHECK(printable("a ü") == "a ü");
  CHECK(printable("a\nb\xff") == "a\\x0ab\\xff");
  CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");
  CHECK(printable("a\xe2\x80\xa8"
                  "b") ==
        "a\\xe2\\x80\\xa8"
        "b");  // U+2028
  CHECK(printable("a\xe2\x80\x8b"
                  "b") ==
        "a\\xe2\\x80\\x8b"
        "b");                                             // U+200B
  CHECK(printable("\xef\xbb\xbf") == "\\xef\\xbb\\xbf");  // U+FEFF
  CHECK_FALSE(
      name_problem("a\xe2\x80\x8b"
                   "b"));  // legal on the wire
  CHECK(printable("\\x0a") == "\\x5cx0a");
}

TEST_CASE("clip() does not split a character") {
  CHECK(clip("abc", 5) == "abc");
  CHECK(clip("abc", 2) == "ab");
  CHECK(clip("aü", 2) == "a");
  CHECK(clip("aüb", 3) == "aü");
}

TEST_CASE("A peer's name must be short, printable text") {
  CHECK_FALSE(name_problem("Ada's PC"));
  CHECK(name_problem(""));
  CHECK(name_problem("a\tb"));
  CHECK(name_problem(std::string(kMaxNameBytes + 1, 'a')));
}
