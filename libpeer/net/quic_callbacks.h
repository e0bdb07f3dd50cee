// The callbacks of ngtcp2. They find the Connection and call it, the core or the HTTP/3 session.
//
// Only connection.cc and quic_callbacks.cc include this header.
#pragma once

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "libpeer/net/connection.h"

namespace peer::net {

struct Connection::QuicCallbacks {
  /// The table for ngtcp2. Its user data is the Connection.
  static ngtcp2_callbacks table(bool server);
  /// Finds the ngtcp2_conn of a connection, for TlsSession.
  static ngtcp2_conn* get(ngtcp2_crypto_conn_ref* reference);
  /// Writes one packet, for write_burst().
  static ngtcp2_ssize write_packet(ngtcp2_conn* quic, ngtcp2_path* path, ngtcp2_pkt_info* info, std::uint8_t* out,
                                   std::size_t size, ngtcp2_tstamp now, void* user);

 private:
  static Connection& self(void* user) { return *static_cast<Connection*>(user); }
  static void random(std::uint8_t* out, std::size_t size, const ngtcp2_rand_ctx* context);
  static int new_cid(ngtcp2_conn*, ngtcp2_cid* cid, ngtcp2_stateless_reset_token* token, std::size_t length,
                     void* user);
  static int remove_cid(ngtcp2_conn*, const ngtcp2_cid* cid, void* user);
  static int handshake_completed(ngtcp2_conn*, void* user);
  static int key_installed(ngtcp2_conn* quic, ngtcp2_encryption_level level, void* user);
  static int stream_data(ngtcp2_conn* quic, std::uint32_t flags, std::int64_t id, std::uint64_t,
                         const std::uint8_t* data, std::size_t size, void* user, void*);
  static int acked(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t size, void* user, void*);
  static int stream_close(ngtcp2_conn* quic, std::uint32_t flags, std::int64_t id, std::uint64_t code, void* user,
                          void*);
  static int stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code, void* user, void*);
  static int streams_allowed(ngtcp2_conn*, std::uint64_t total, void* user);
  static int stream_window(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* user, void*);
};

}  // namespace peer::net
