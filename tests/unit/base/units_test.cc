#include "libpeer/base/units.h"

#include <catch2/catch_test_macros.hpp>

namespace peer {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Durations are in ms, s, m or h, and in seconds without a unit") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("5s") == 5s);
  CHECK(parse_duration("5") == 5s);
  CHECK(parse_duration("1.5") == 1500ms);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("0.5h") == 30min);
  for (const char* bad : {"", "s", "-1s", "5 s", "5x", "1e9", "nan", "inf", "99999999h", "+5"})
    CHECK(!parse_duration(bad));
}

TEST_CASE("Size units are powers of 1000") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("256M") == 256'000'000);
  CHECK(parse_size("1.5K") == 1500);
  CHECK(parse_size("2T") == 2'000'000'000'000);
  for (const char* bad : {"", "M", "-1", "5MB", "5 M", "9999999T", "0x10"}) CHECK(!parse_size(bad));
}

}  // namespace
}  // namespace peer
