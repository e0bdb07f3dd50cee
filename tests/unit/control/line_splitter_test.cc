#include "libpeer/control/line_splitter.h"

#include <catch2/catch_test_macros.hpp>

namespace peer::control {
namespace {

TEST_CASE("A line is returned when its newline has arrived") {
  LineSplitter lines(10);
  CHECK(lines.next(false) == std::nullopt);
  lines.append("on");
  CHECK(lines.next(false) == std::nullopt);
  lines.append("e\n\ntwo\nthr");
  CHECK(lines.next(false) == "one");
  CHECK(lines.next(false) == "");
  CHECK(lines.next(false) == "two");
  CHECK(lines.next(false) == std::nullopt);
  CHECK(lines.next(true) == "thr");
  CHECK(lines.next(true) == std::nullopt);
  CHECK_FALSE(lines.too_long());
}

TEST_CASE("A line over the limit ends the splitting, with or without its newline") {
  for (const char* text : {"12345678901", "12345678901\nnext\n"}) {
    LineSplitter lines(10);
    lines.append(text);
    CHECK(lines.next(false) == std::nullopt);
    CHECK(lines.too_long());
    CHECK(lines.next(true) == std::nullopt);
  }
  LineSplitter lines(10);
  lines.append("1234567890\n");
  CHECK(lines.next(false) == "1234567890");
  CHECK_FALSE(lines.too_long());
}

}  // namespace
}  // namespace peer::control
