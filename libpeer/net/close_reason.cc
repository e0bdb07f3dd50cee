#include "libpeer/net/close_reason.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <span>
#include <utility>

#include "libpeer/net/limits.h"

namespace peer::net {
namespace {

// The peer's text may end up in a log or on a terminal.
std::string printable(std::span<const std::uint8_t> text) {
  std::string out;
  for (const std::uint8_t c : text.first(std::min(text.size(), limits::kReason))) {
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  }
  return out;
}

}  // namespace

CloseReason CloseReason::http(std::uint64_t code, Error local, std::string_view text) {
  CloseReason reason;
  reason.text = text.substr(0, limits::kReason);
  ngtcp2_ccerr_set_application_error(&reason.error, code, nullptr, 0);
  reason.local = std::move(local);
  return reason;
}

CloseReason CloseReason::transport(std::uint64_t code, Error local) {
  CloseReason reason;
  ngtcp2_ccerr_set_transport_error(&reason.error, code, nullptr, 0);
  reason.local = std::move(local);
  return reason;
}

CloseReason CloseReason::library(ngtcp2_conn* quic, int code, const std::string& remote) {
  CloseReason reason;
  if (code == NGTCP2_ERR_CRYPTO) {
    const std::uint8_t alert = ngtcp2_conn_get_tls_alert(quic);
    ngtcp2_ccerr_set_tls_alert(&reason.error, alert, nullptr, 0);
    reason.local = {ErrorCode::invalid, remote + ": the TLS handshake failed (alert " + std::to_string(alert) + ")"};
    return reason;
  }
  ngtcp2_ccerr_set_liberr(&reason.error, code, nullptr, 0);
  const bool version = code == NGTCP2_ERR_RECV_VERSION_NEGOTIATION;
  reason.local = {version ? ErrorCode::refused : ErrorCode::invalid,
                  remote + ": the peer violated QUIC: " + ngtcp2_strerror(code)};
  return reason;
}

Error error_of_remote_close(ngtcp2_conn* quic, const std::string& remote) {
  const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(quic);
  const std::string reason = printable({error->reason, error->reasonlen});
  if (error->type == NGTCP2_CCERR_TYPE_TRANSPORT) {
    if ((error->error_code & ~0xffULL) == NGTCP2_CRYPTO_ERROR) {
      return {ErrorCode::refused,
              remote + ": the peer refused our TLS handshake (alert " + std::to_string(error->error_code & 0xff) + ")"};
    }
    if (error->error_code == NGTCP2_CONNECTION_REFUSED) {
      // The peer is starting, stopping or full, so another attempt soon may succeed.
      return {ErrorCode::unreachable, remote + ": the peer accepts no connections now"};
    }
    if (error->error_code != NGTCP2_NO_ERROR) {
      return {ErrorCode::unreachable, remote + ": the peer closed the connection (QUIC error " +
                                          std::to_string(error->error_code) + ") " + reason};
    }
  }
  if (reason.empty()) return {ErrorCode::unreachable, remote + ": the peer closed the connection"};
  return {ErrorCode::unreachable, remote + ": the peer closed the connection: " + reason};
}

}  // namespace peer::net
