#include "ctl/text/table.h"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "ctl/text/columns.h"

namespace peer::ctl {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("Wide characters occupy two columns, combining characters none") {
  CHECK(columns("abc") == 3);
  CHECK(columns("\u00fc") == 1);
  CHECK(columns("u\u0308") == 1);
  CHECK(columns("\u65e5\u672c\u8a9e") == 6);
  CHECK(columns("\U0001F3AE") == 2);
  CHECK(columns("a\u200bb") == 2);
  CHECK(columns("\xff\xc3") == 2);
  CHECK(head("\u65e5\u672c", 3) == "\u65e5");
  CHECK(head("u\u0308x", 1) == "u\u0308");
  CHECK(tail("xu\u0308", 1) == "u\u0308");
  CHECK(tail("\u65e5\u672c", 3) == "\u672c");
}

TEST_CASE("Text that is too long gets an ellipsis in its middle") {
  CHECK(shortened("abcdefgh", 8) == "abcdefgh");
  CHECK(shortened("abcdefgh", 5) == "ab\u2026gh");
  CHECK(shortened("abcdefgh", 1) == "\u2026");
  CHECK(shortened("abcdefgh", 0).empty());
  CHECK(cut("abcdefgh", 4) == "abc\u2026");
  for (std::size_t width = 0; width < 12; ++width) {
    CHECK(columns(shortened("\u65e5a\u672cu\u0308\u8a9ex", width)) <= width);
  }
}

TEST_CASE("Long text is broken at spaces") {
  CHECK(wrapped("one two three four", 9, 2) == "one two\n  three\n  four");
  CHECK(wrapped("one two three four", 0, 2) == "one two three four");
  CHECK(wrapped("averyverylongword b", 5, 1) == "averyverylongword\n b");
  CHECK(wrapped("", 5, 1).empty());
}

Table games() {
  Table table({{"GAME", false, true}, {"SIZE", true}, {"VERSION", false, false, 2}, {"HERE", false, false, 1}});
  table.row({{"short"}, {"9 B"}, {"0123456789ab"}, {"ready", Tone::good}});
  table.row({{"a name that is rather long, \u65e5\u672c\u8a9e"}, {"120 MB"}, {"ba9876543210"}, {"-"}});
  return table;
}

TEST_CASE("A table without a terminal is written in full") {
  CHECK(games().text({}) ==
        "GAME                                  SIZE  VERSION       HERE\n"
        "short                                  9 B  0123456789ab  ready\n"
        "a name that is rather long, \u65e5\u672c\u8a9e  120 MB  ba9876543210  -\n");
}

TEST_CASE("A narrow terminal shortens names first and then drops columns") {
  const std::vector<std::string> lines = lines_of(games().text({.width = 50}));
  CHECK(lines[2] == "a name tha\u2026ng, \u65e5\u672c\u8a9e  120 MB  ba9876543210  -");
  CHECK(games().text({.width = 36}).find("VERSION") == std::string::npos);
  CHECK(games().text({.width = 36}).find("HERE") != std::string::npos);
  CHECK(games().text({.width = 20}).find("HERE") == std::string::npos);
  for (std::size_t width = 1; width < 80; ++width) {
    INFO(width);
    for (const std::string& line : lines_of(games().text({.width = width}))) CHECK(columns(line) <= width);
  }
}

TEST_CASE("Colour codes appear only on request, and text chosen by peers cannot move the cursor") {
  Table table({{"A"}, {"LONGER"}});
  table.row({{"\x1b[2J"}, {"y", Tone::bad}});
  CHECK(table.text({}).find('\x1b') == std::string::npos);
  const std::string coloured = table.text({.width = 80, .colour = true});
  CHECK(coloured.find("\x1b[31my\x1b[0m") != std::string::npos);
  CHECK(coloured.find("\x1b[2J") == std::string::npos);
  CHECK(tone_of("damaged") == Tone::bad);
  CHECK(tone_of("?") == Tone::normal);
}

}  // namespace
}  // namespace peer::ctl
