// JSON-RPC 2.0 as text: what a line asks for, and what an answer looks like. No I/O.
//
// Limits: a line of kMaxLineBytes, nested kMaxDepth deep, at most kMaxBatch calls in one.
#pragma once

#include <cstddef>
#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"

namespace peer::control {

/// Keeps the order of fields, for the eyes of people.
using Json = nlohmann::ordered_json;

inline constexpr std::size_t kMaxLineBytes = 64 << 10;  ///< without the newline
inline constexpr std::size_t kMaxDepth = 32;
inline constexpr std::size_t kMaxBatch = 100;

inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kOwnError = -32000;

struct RpcError {
  int code = kOwnError;  ///< the number that JSON-RPC wants
  std::string message;
  ErrorCode word = ErrorCode::internal;  ///< data.code
  bool stopping = false;                 ///< data.stopping: the daemon ends, and did not do what was asked
};
using RpcResult = std::expected<Json, RpcError>;

RpcError to_rpc(const Error& error);
std::unexpected<RpcError> invalid_params(std::string message);

/// One call of a line: good, or with the error that answers it.
struct Call {
  Json id;
  bool notification = false;  ///< gets no answer
  std::string method;
  Json params;  ///< an object, an array or null
  std::optional<RpcError> error;
};

struct Line {
  bool batch = false;  ///< the answers go into one array
  std::vector<Call> calls;
};

/// Never fails: what is wrong stands in the calls.
Line parse_line(std::string_view text);

Json make_answer(const Json& id, const RpcResult& result);
/// With its newline; invalid UTF-8 is replaced.
std::string to_line(const Json& json);

}  // namespace peer::control
