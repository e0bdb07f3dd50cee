#include "libpeer/net/connection.h"

#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <utility>

#include "libpeer/base/check.h"
#include "libpeer/net/limits.h"

namespace peer::net {
namespace {

// What a remote says may end in a log or on a terminal.
std::string printable(std::span<const std::uint8_t> text) {
  std::string out;
  for (const std::uint8_t c : text.first(std::min(text.size(), limits::kReason))) {
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  }
  return out;
}

}  // namespace

ngtcp2_path Connection::path_of(sockaddr_storage& local, sockaddr_storage& remote) {
  return {.local = {reinterpret_cast<sockaddr*>(&local), sizeof(sockaddr_in6)},
          .remote = {reinterpret_cast<sockaddr*>(&remote), sizeof(sockaddr_in6)},
          .user_data = nullptr};
}

void Connection::handshake_completed() {
  Result<std::optional<PeerId>> shown = tls_->peer();
  if (!shown) return close_quic(NGTCP2_CRYPTO_ERROR | 42 /* bad_certificate */, std::move(shown.error()));
  peer_ = *shown;
  if (expected_ && peer_ != expected_) {
    const std::string found = peer_ ? peer_->brief() : std::string("one without a certificate");
    return close_http(NGHTTP3_H3_NO_ERROR, {ErrorCode::refused, remote_.to_string() + " is peer " + found + ", not " +
                                                                    expected_->brief() + " as expected"});
  }
  Result<ChannelBinding> binding = tls_->channel_binding();
  if (!binding) return close_quic(NGTCP2_INTERNAL_ERROR, std::move(binding.error()));
  binding_ = *binding;
  ready_ = true;
  if (server_) core_->handshake_done();
  settled.set();
}

int Connection::receive(const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                        std::span<const std::uint8_t> data) {
  if (over_) return 0;
  core_->touch(*this);
  if (closing_) return 0;
  sockaddr_storage other_local;
  sockaddr_storage other_remote;
  ngtcp2_path path = path_of(native_local_, native_remote_);
  if (remote != remote_) {
    remote.to_native(AF_INET6, other_remote);
    path.remote.addr = reinterpret_cast<sockaddr*>(&other_remote);
  }
  if (server_ && local != local_) {
    local.to_native(AF_INET6, other_local);
    path.local.addr = reinterpret_cast<sockaddr*>(&other_local);
  }
  const ngtcp2_pkt_info info{.ecn = static_cast<std::uint8_t>(ecn)};
  // A connection that was accepted in the middle of a burst is younger than the burst: its clock must not go back.
  const ngtcp2_tstamp at = std::max(Core::to_quic(core_->arrival()), ngtcp2_conn_get_timestamp(quic_));
  const int result = ngtcp2_conn_read_pkt(quic_, &path, &info, data.data(), data.size(), at);
  switch (result) {
    case 0: break;
    case NGTCP2_ERR_DRAINING: finish(remote_close(), {}, true); break;
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_DROP_CONN:
      finish({ErrorCode::invalid, "the handshake began with something else"}, {}, false);
      break;
    default: close_library(result);
  }
  return result;
}

void Connection::close_library(int code) {
  if (closing_) return;  // a callback has said why
  Closing closing{};
  if (code == NGTCP2_ERR_CRYPTO) {
    const std::uint8_t alert = ngtcp2_conn_get_tls_alert(quic_);
    ngtcp2_ccerr_set_tls_alert(&closing.error, alert, nullptr, 0);
    closing.local = {ErrorCode::invalid,
                     remote_.to_string() + ": the TLS handshake failed (alert " + std::to_string(alert) + ")"};
  } else {
    ngtcp2_ccerr_set_liberr(&closing.error, code, nullptr, 0);
    const bool version = code == NGTCP2_ERR_RECV_VERSION_NEGOTIATION;
    closing.local = {version ? ErrorCode::refused : ErrorCode::invalid,
                     remote_.to_string() + ": the peer broke QUIC: " + ngtcp2_strerror(code)};
  }
  close(std::move(closing));
}

void Connection::close_http(std::uint64_t code, Error local, std::optional<std::string_view> reason) {
  Closing closing{};
  closing.reason = reason.value_or(local.message).substr(0, limits::kReason);
  ngtcp2_ccerr_set_application_error(&closing.error, code, nullptr, 0);
  closing.local = std::move(local);
  close(std::move(closing));
}

void Connection::close_quic(std::uint64_t code, Error local) {
  Closing closing{};
  ngtcp2_ccerr_set_transport_error(&closing.error, code, nullptr, 0);
  closing.local = std::move(local);
  close(std::move(closing));
}

void Connection::close(Closing closing) {
  if (over_ || closing_) return;
  closing_ = std::move(closing);
  core_->schedule(*this);
}

Error Connection::remote_close() const {
  const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(quic_);
  const std::string who = remote_.to_string();
  const std::string reason = printable({error->reason, error->reasonlen});
  if (error->type == NGTCP2_CCERR_TYPE_TRANSPORT) {
    if ((error->error_code & ~0xffULL) == NGTCP2_CRYPTO_ERROR) {
      return {ErrorCode::refused,
              who + ": the peer refused our TLS handshake (alert " + std::to_string(error->error_code & 0xff) + ")"};
    }
    if (error->error_code == NGTCP2_CONNECTION_REFUSED) {
      // It is starting, stopping or full: worth another attempt soon.
      return {ErrorCode::unreachable, who + ": the peer takes no connections now"};
    }
    if (error->error_code != NGTCP2_NO_ERROR) {
      return {ErrorCode::unreachable, who + ": the peer closed the connection (QUIC error " +
                                          std::to_string(error->error_code) + ") " + reason};
    }
  }
  if (reason.empty()) return {ErrorCode::unreachable, who + ": the peer closed the connection"};
  return {ErrorCode::unreachable, who + ": the peer closed the connection: " + reason};
}

// Ends the connection: frees ngtcp2, nghttp3 and TLS, leaves the last packet with the core, and detaches the streams.
void Connection::finish(Error error, std::vector<std::uint8_t> last_packet, bool linger) {
  PEER_CHECK(!over_);
  last_stats_ = stats();
  over_ = true;
  error_ = std::move(error);
  core_->options().log.debug((server_ ? "from " : "to ") + remote_.to_string() + ": ended: " + error_.message);
  if (timer_) core_->executor().disarm(*timer_);
  timer_.reset();
  later_.clear();
  std::vector<std::shared_ptr<Stream>> streams;
  if (http3_) {
    for (const auto& [id, stream] : http3_->streams()) streams.push_back(stream);
  }
  const auto pto = std::chrono::duration_cast<runtime::Duration>(std::chrono::nanoseconds(ngtcp2_conn_get_pto(quic_)));
  http3_.reset();
  ngtcp2_conn_del(std::exchange(quic_, nullptr));
  tls_.reset();
  core_->retire(*this, cids_, std::move(last_packet), server_ ? local_ : SocketAddress{}, remote_,
                linger ? 3 * pto : runtime::Duration::zero());
  core_ = nullptr;
  for (const auto& stream : streams) stream->detach(error_);
  settled.set();
  over.set();
}

void Connection::stop_serving() {
  if (over_ || closing_ || !http3_) return;
  http3_->refuse_more();
  const std::map<std::int64_t, std::shared_ptr<Stream>> streams = http3_->streams();
  for (const auto& [id, stream] : streams) {
    if (stream->stop) stream->stop->request();
  }
  core_->schedule(*this);
}

void Connection::close_when_idle() {
  if (over_) return;
  close_when_idle_ = true;
  core_->schedule(*this);
}

LinkStats Connection::stats() const {
  if (quic_ == nullptr) return last_stats_;
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(quic_, &info);
  LinkStats stats;
  stats.smoothed_rtt = std::chrono::duration_cast<runtime::Duration>(std::chrono::nanoseconds(info.smoothed_rtt));
  stats.bytes_in = info.bytes_recv;
  stats.bytes_out = info.bytes_sent;
  stats.packets_lost = info.pkt_lost;
  stats.last_received = last_received_;
  return stats;
}

Result<std::shared_ptr<Stream>> Connection::request(const RequestHead& head, bool has_body) {
  if (over_) return std::unexpected(error_);
  if (closing_) return std::unexpected(closing_->local);
  PEER_CHECK(!server_ && http3_);
  core_->schedule(*this);
  return http3_->request(quic_, head, has_body, remote_.to_string());
}

// What follows is called for streams and does nothing while the connection closes: after a failure, ngtcp2 and nghttp3
// may only write the last packet, which the next flush sends.

void Connection::credit(Stream& stream, std::size_t bytes) {
  if (closing_) return;
  if (stream.open()) ngtcp2_conn_extend_max_stream_offset(quic_, stream.id(), bytes);
  ngtcp2_conn_extend_max_offset(quic_, bytes);
  core_->schedule(*this);
}

void Connection::resume(Stream& stream) {
  if (closing_) return;
  http3_->resume(stream);
  core_->schedule(*this);
}

Result<void> Connection::respond(Stream& stream, const ResponseHead& head) {
  if (closing_) return std::unexpected(closing_->local);
  core_->schedule(*this);
  return http3_->respond(stream, head);
}

void Connection::abandoned(Stream& stream, bool read_done, bool write_done) {
  if (closing_) return;
  core_->schedule(*this);
  ngtcp2_conn_extend_max_offset(quic_, stream.unreleased());
  if (!stream.open()) return http3_->forget(quic_, stream);
  if (stream.local()) {
    if (!read_done || !write_done) http3_->shut(quic_, stream.id(), !read_done, true, NGHTTP3_H3_REQUEST_CANCELLED);
    return;
  }
  // A server that has answered in full wants no more of the request, which is no error.
  const bool answered = stream.answering && write_done;
  if (!read_done)
    http3_->shut(quic_, stream.id(), true, false, answered ? NGHTTP3_H3_NO_ERROR : NGHTTP3_H3_REQUEST_CANCELLED);
  if (!answered) http3_->shut(quic_, stream.id(), false, true, NGHTTP3_H3_REQUEST_CANCELLED);
}

void Connection::discard(std::int64_t id, std::size_t bytes) {
  ngtcp2_conn_extend_max_stream_offset(quic_, id, bytes);
  ngtcp2_conn_extend_max_offset(quic_, bytes);
}

void Connection::request_arrived(const std::shared_ptr<Stream>& stream) {
  if (closing_ || close_when_idle_ || !core_->begin_request(*this, stream)) {
    reset_later(stream->id(), true, true, NGHTTP3_H3_REQUEST_REJECTED);
  }
}

void Connection::reset_later(std::int64_t id, bool reading, bool writing, std::uint64_t code) {
  later_.push_back([this, id, reading, writing, code] { http3_->shut(quic_, id, reading, writing, code); });
}

void Connection::stop_later(const std::shared_ptr<Stream>& stream) {
  later_.push_back([stream] { stream->stop->request(); });
}

}  // namespace peer::net
