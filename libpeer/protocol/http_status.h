// HttpStatus and HttpRefusal: the statuses that a peer answers with, and why it refuses a request.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace peer::protocol {

/// Every status that peerd sends. A response from another peer may carry any other number.
/// Source: docs/protocol.md, section 4.
enum class HttpStatus : int {
  ok = 200,
  partial_content = 206,
  bad_request = 400,
  forbidden = 403,
  not_found = 404,
  method_not_allowed = 405,
  gone = 410,
  range_not_satisfiable = 416,
  internal_error = 500,
  unavailable = 503,
};

constexpr int to_int(HttpStatus status) noexcept { return static_cast<int>(status); }

/// A request that is not served.
struct HttpRefusal {
  HttpStatus status = HttpStatus::bad_request;
  std::string message;     ///< for people: the body of the response
  std::string_view allow;  ///< the methods that the path accepts, for method_not_allowed; a literal
};

inline std::unexpected<HttpRefusal> refuse(HttpStatus status, std::string message, std::string_view allow = {}) {
  return std::unexpected(HttpRefusal{status, std::move(message), allow});
}

/// Compares the status of a received response, which may be any number.
constexpr bool operator==(int received, HttpStatus status) noexcept { return received == to_int(status); }

}  // namespace peer::protocol
