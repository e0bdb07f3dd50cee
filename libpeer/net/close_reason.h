// Why a connection closes: the error that the other side gets, and the error that this side reports.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "libpeer/base/result.h"

namespace peer::net {

/// A CONNECTION_CLOSE to send.
struct CloseReason {
  ngtcp2_ccerr error{};  ///< its reason is set when it is sent: `text` may move
  std::string text;
  Error local;

  /// An HTTP/3 error code; `text` is cut at limits::kReason.
  static CloseReason http(std::uint64_t code, Error local, std::string_view text);
  static CloseReason transport(std::uint64_t code, Error local);
  /// For an error that a function of ngtcp2 returned.
  static CloseReason library(ngtcp2_conn* quic, int code, const std::string& remote);
};

/// The error for a connection that the other side closed.
Error error_of_remote_close(ngtcp2_conn* quic, const std::string& remote);

}  // namespace peer::net
