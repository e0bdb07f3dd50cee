#include "libpeer/protocol/bounded_json.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

using namespace peer;
using namespace peer::protocol;
using Catch::Matchers::ContainsSubstring;
using nlohmann::json;

namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = parse_bounded(text, limits);
  if (!parsed) CHECK(parsed.error().code == ErrorCode::invalid);
  return parsed ? "accepted" : parsed.error().message;
}

/// {"type":"z","x":[ELEMENT,ELEMENT,...]}
std::string message_of(const std::string& element, std::size_t count) {
  std::string text = R"({"type":"z","x":[)";
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + element;
  return text + "]}";
}

}  // namespace

TEST_CASE("Bounded JSON builds the same tree as nlohmann's parser") {
  for (const char* text :
       {"1", "-1", "-0", "0.5", "18446744073709551615", "18446744073709551616", "null", "true", "\"x\"", "[]", "{}",
        R"([[],[[]],{"a":[]}])", R"({"a":{"b":[1,{"c":null},[2,[3]]],"d":"e"},"f":[{"a":1},{"a":2}],"":false})",
        R"(["\u00fc\ud83d\ude00\n",{"k\u0000":1}])", " [ 1 , 2 ] "}) {
    CAPTURE(text);
    const auto parsed = parse_bounded(text);
    REQUIRE(parsed);
    const json expected = json::parse(text);
    CHECK(*parsed == expected);
    CHECK(parsed->type() == expected.type());
    CHECK(parsed->dump() == expected.dump());
  }
}

TEST_CASE("Bounded JSON rejects text that is not JSON") {
  for (const char* text : {"", " ", "{", "[", "[1,]", "{\"a\"}", "{\"a\":}", "]", "[1}", "nul", "1e999", "01", "'x'",
                           "[1] [2]", "\"\xff\"", "\"\\ud800\"", "{1:2}", "{\"a\":1,}"}) {
    CAPTURE(text);
    CHECK(refusal(text) == "it is not valid JSON");
  }
}

TEST_CASE("Bounded JSON rejects an object with a duplicate field, at every depth") {
  CHECK(refusal(R"({"a":1,"a":1})") == "an object has a field twice");
  CHECK(refusal(R"({"a":[{"b":1,"c":2,"b":3}]})") == "an object has a field twice");
  CHECK(refusal(R"({"a":{"x":1},"b":{},"a":{}})") == "an object has a field twice");
  CHECK(refusal(R"({"a":1,"\u0061":2})") == "an object has a field twice");
  CHECK(refusal(R"({"a":{"a":{"a":[{"a":1},{"a":2}]}}})") == "accepted");
}

TEST_CASE("Bounded JSON applies each limit exactly") {
  const JsonLimits limits{.bytes = 40, .values = 6, .depth = 3};
  CHECK(refusal(std::string(39, ' ') + "1", limits) == "accepted");
  CHECK(refusal(std::string(40, ' ') + "1", limits) == "it is longer than 40 bytes");
  CHECK(refusal("[1,2,3,4,5]", limits) == "accepted");
  CHECK(refusal("[1,2,3,4,5,6]", limits) == "it has more than 6 values");
  CHECK(refusal("[[],{},[],{},[]]", limits) == "accepted");
  CHECK(refusal("[[],{},[],{},[],{}]", limits) == "it has more than 6 values");
  CHECK(refusal(R"({"a":1,"b":{"c":[]},"d":2})", limits) == "accepted");
  CHECK(refusal(R"({"a":1,"b":{"c":[3]},"d":2,"e":3})", limits) == "it has more than 6 values");
  CHECK(refusal("[[[1]]]", limits) == "accepted");
  CHECK(refusal("[[[[]]]]", limits) == "it is nested deeper than 3");
  CHECK(refusal(R"({"a":[{"b":{}}]})", limits) == "it is nested deeper than 3");
}

TEST_CASE("Bounded JSON does work in proportion to the values, and stops at the first value over the limit") {
  for (const std::string element : {"{}", "[]", "0", R"({"a":{}})"}) {
    CAPTURE(element);
    const JsonLimits limits{.bytes = 64 << 20, .values = 4'000'000};
    std::size_t before = 0;
    for (const std::size_t count : {1000u, 10'000u, 100'000u}) {
      std::size_t work = 0;
      REQUIRE(parse_bounded(message_of(element, count), limits, &work));
      CHECK(work >= count);
      CHECK(work <= 5 * count + 10);
      if (before != 0) CHECK(work <= 10 * before);
      before = work;
    }
  }
  // Without the limit, these frames would block the network's thread for 21 s and for minutes.
  for (const std::size_t bytes : {std::size_t{240'000}, kMaxFrameBytes}) {
    const std::string text = message_of("{}", (bytes - 20) / 3);
    std::size_t work = 0;
    const auto parsed = parse_bounded(text, {}, &work);
    REQUIRE_FALSE(parsed);
    CHECK_THAT(parsed.error().message, ContainsSubstring("more than 32768 values"));
    CHECK(work <= 2 * kMaxJsonValues + 10);
  }
  // Nothing is built for text that is too long or too deep.
  std::size_t work = 1;
  CHECK_FALSE(parse_bounded(std::string(kMaxFrameBytes + 1, '['), {}, &work));
  CHECK(work == 0);
  CHECK_FALSE(parse_bounded(std::string(kMaxFrameBytes, '['), {}, &work));
  CHECK(work == kMaxJsonDepth);
}
