#include "libpeer/control/rpc.h"

#include <catch2/catch_test_macros.hpp>

#include "libpeer/base/json_depth.h"

namespace peer::control {
namespace {

int error_of(const std::string& text) {
  const Line line = parse_line(text);
  REQUIRE(line.calls.size() == 1);
  return line.calls[0].error ? line.calls[0].error->code : 0;
}

TEST_CASE("A valid line becomes a call; a call without an id is a notification") {
  const Line line = parse_line(R"({"jsonrpc":"2.0","id":7,"method":"status","params":{"a":1}})");
  REQUIRE(line.calls.size() == 1);
  CHECK(!line.batch);
  CHECK(!line.calls[0].error);
  CHECK(!line.calls[0].notification);
  CHECK(line.calls[0].id == 7);
  CHECK(line.calls[0].method == "status");
  CHECK(line.calls[0].params["a"] == 1);
  CHECK(parse_line(R"({"jsonrpc":"2.0","method":"status"})").calls[0].notification);
}

TEST_CASE("An invalid line has the error code that JSON-RPC defines") {
  CHECK(error_of("") == kParseError);
  CHECK(error_of("{") == kParseError);
  CHECK(error_of("\"\xff\"") == kParseError);
  CHECK(error_of("1") == kInvalidRequest);
  CHECK(error_of("[]") == kInvalidRequest);
  CHECK(error_of("{}") == kInvalidRequest);
  CHECK(error_of(R"({"jsonrpc":"1.0","id":1,"method":"status"})") == kInvalidRequest);
  CHECK(error_of(R"({"jsonrpc":"2.0","id":{},"method":"status"})") == kInvalidRequest);
  CHECK(error_of(R"({"jsonrpc":"2.0","id":1,"method":5})") == kInvalidRequest);
  CHECK(error_of(R"({"jsonrpc":"2.0","id":1,"method":"status","params":5})") == kInvalidParams);
}

TEST_CASE("Every error has an error word in data.code") {
  for (const char* text : {"", "{", "1", "[]", "{}", R"({"jsonrpc":"1.0","id":1,"method":"status"})",
                           R"({"jsonrpc":"2.0","id":{},"method":"status"})", R"({"jsonrpc":"2.0","id":1,"method":5})",
                           R"({"jsonrpc":"2.0","id":1,"method":"status","params":5})"}) {
    INFO(text);
    const Line line = parse_line(text);
    const Json answer = make_answer(line.calls[0].id, std::unexpected(*line.calls[0].error));
    CHECK(answer["error"]["data"] == Json{{"code", "invalid"}});
  }
  const Json answer = make_answer(1, std::unexpected(RpcError{kOwnError, "x", ErrorCode::cancelled, true}));
  CHECK(answer["error"]["data"] == Json{{"code", "cancelled"}, {"stopping", true}});
}

TEST_CASE("A batch contains all its calls, also the invalid ones") {
  const Line line = parse_line(R"([{"jsonrpc":"2.0","id":1,"method":"status"},1])");
  CHECK(line.batch);
  REQUIRE(line.calls.size() == 2);
  CHECK(!line.calls[0].error);
  CHECK(line.calls[1].error->code == kInvalidRequest);
}

TEST_CASE("Brackets inside strings do not count as nesting") {
  CHECK(json_depth("1") == 0);
  CHECK(json_depth(R"({"a":[1,{}]})") == 3);
  CHECK(json_depth(R"({"a":"[[[[\"[["})") == 1);
  CHECK(json_depth("]]]][") == 1);
}

}  // namespace
}  // namespace peer::control
