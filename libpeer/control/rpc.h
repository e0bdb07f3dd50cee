// JSON-RPC 2.0 as text: reading requests and writing answers. No I/O.
//
// Limits: kMaxLineBytes in a line, kMaxDepth levels of nesting, kMaxBatch calls in a batch.
#pragma once

#include <cstddef>
#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/result.h"

namespace peer::control {

/// Keeps the order of the fields, for people who read the JSON.
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
  int code = kOwnError;  ///< the number that JSON-RPC defines
  std::string message;
  ErrorCode word = ErrorCode::internal;  ///< data.code
  bool stopping = false;                 ///< data.stopping: the daemon is stopping and did not complete the call
};
using RpcResult = std::expected<Json, RpcError>;

RpcError to_rpc(const Error& error);
std::unexpected<RpcError> invalid_params(std::string message);

/// One call of a line, or the error to answer it with.
struct Call {
  Json id;
  bool notification = false;  ///< gets no answer
  std::string method;
  Json params;  ///< an object, an array or null
  std::optional<RpcError> error;
};

struct Line {
  bool batch = false;  ///< the answers go into an array
  std::vector<Call> calls;
};

/// Fails: never; errors are in the calls.
Line parse_line(std::string_view text);

Json make_answer(const Json& id, const RpcResult& result);
/// The text with a newline. Invalid UTF-8 is replaced.
std::string to_line(const Json& json);

}  // namespace peer::control
