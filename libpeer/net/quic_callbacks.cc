#include "libpeer/net/quic_callbacks.h"

#include <utility>

#include "libpeer/net/quic_setup.h"

namespace peer::net {

ngtcp2_callbacks Connection::QuicCallbacks::table(bool server) {
  ngtcp2_callbacks callbacks = crypto_callbacks();
  callbacks.rand = &QuicCallbacks::random;
  callbacks.get_new_connection_id2 = &QuicCallbacks::new_cid;
  callbacks.remove_connection_id = &QuicCallbacks::remove_cid;
  callbacks.handshake_completed = &QuicCallbacks::handshake_completed;
  (server ? callbacks.recv_tx_key : callbacks.recv_rx_key) = &QuicCallbacks::key_installed;
  callbacks.recv_stream_data = &QuicCallbacks::stream_data;
  callbacks.acked_stream_data_offset = &QuicCallbacks::acked;
  callbacks.stream_close = &QuicCallbacks::stream_close;
  callbacks.stream_reset = &QuicCallbacks::stream_reset;
  callbacks.extend_max_remote_streams_bidi = &QuicCallbacks::streams_allowed;
  callbacks.extend_max_stream_data = &QuicCallbacks::stream_window;
  return callbacks;
}

ngtcp2_conn* Connection::QuicCallbacks::get(ngtcp2_crypto_conn_ref* reference) {
  return self(reference->user_data).quic_;
}

ngtcp2_ssize Connection::QuicCallbacks::write_packet(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info,
                                                     std::uint8_t* out, std::size_t size, ngtcp2_tstamp now,
                                                     void* user) {
  Connection& me = self(user);
  if (me.http3_) return me.http3_->sender().write(quic, path, info, out, size, now);
  return ngtcp2_conn_writev_stream(quic, path, info, out, size, nullptr, 0, -1, nullptr, 0, now);
}

void Connection::QuicCallbacks::random(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context) {
  static_cast<Random*>(context->native_handle)->fill({out, size});
}

int Connection::QuicCallbacks::new_cid(ngtcp2_conn*, ngtcp2_cid* cid, ngtcp2_stateless_reset_token* token,
                                       std::size_t length, void* user) {
  Connection& me = self(user);
  cid->datalen = length;
  me.core_->random().fill({cid->data, length});
  if (!me.core_->acceptor().replies().reset_token(*cid, token->data)) return NGTCP2_ERR_CALLBACK_FAILURE;
  me.core_->ids().add(*cid, me);
  return 0;
}

int Connection::QuicCallbacks::remove_cid(ngtcp2_conn*, const ngtcp2_cid* cid, void* user) {
  Connection& me = self(user);
  me.core_->ids().remove(*cid, me);
  return 0;
}

int Connection::QuicCallbacks::handshake_completed(ngtcp2_conn*, void* user) {
  self(user).handshake_completed();
  return 0;
}

// HTTP/3 begins as soon as this side can use 1-RTT packets: a client once it has the key to read them, a server once it
// has the key to write them.
int Connection::QuicCallbacks::key_installed(ngtcp2_conn* quic, ngtcp2_encryption_level level, void* user) {
  Connection& me = self(user);
  if (level != NGTCP2_ENCRYPTION_LEVEL_1RTT) return 0;
  me.http3_.emplace(me, me.server_);
  if (!me.http3_->open(quic)) {
    me.close_http(NGHTTP3_H3_GENERAL_PROTOCOL_ERROR,
                  {ErrorCode::invalid, "the peer does not allow HTTP/3 control streams"});
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  return 0;
}

int Connection::QuicCallbacks::stream_data(ngtcp2_conn* quic, std::uint32_t flags, std::int64_t id, std::uint64_t,
                                           const std::uint8_t* data, std::size_t size, void* user, void*) {
  Connection& me = self(user);
  return me.http3_ ? me.http3_->receive(quic, id, {data, size}, (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0) : 0;
}

int Connection::QuicCallbacks::acked(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t size, void* user,
                                     void*) {
  Connection& me = self(user);
  return me.http3_ ? me.http3_->acknowledged(id, size) : 0;
}

int Connection::QuicCallbacks::stream_close(ngtcp2_conn* quic, std::uint32_t flags, std::int64_t id, std::uint64_t code,
                                            void* user, void*) {
  Connection& me = self(user);
  const bool has_code = (flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0;
  return me.http3_ ? me.http3_->closed(quic, id, has_code, code) : 0;
}

int Connection::QuicCallbacks::stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code,
                                            void* user, void*) {
  Connection& me = self(user);
  return me.http3_ ? me.http3_->reset(id, code) : 0;
}

int Connection::QuicCallbacks::streams_allowed(ngtcp2_conn*, std::uint64_t total, void* user) {
  Connection& me = self(user);
  if (me.http3_ && me.server_) me.http3_->streams_allowed(total);
  return 0;
}

int Connection::QuicCallbacks::stream_window(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* user, void*) {
  Connection& me = self(user);
  return me.http3_ ? me.http3_->unblocked(id) : 0;
}

}  // namespace peer::net
