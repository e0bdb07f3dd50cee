// TLS 1.3 for QUIC: the contexts of both roles, and the session of one connection.
#pragma once

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include <memory>
#include <optional>

#include "libpeer/base/result.h"
#include "libpeer/net/identity.h"
#include "libpeer/net/link.h"

namespace peer::net {

/// The settings of both roles: ALPN h3, X25519, Ed25519 certificates with ignored dates and issuers, no tickets, no
/// 0-RTT. A server asks for a certificate and also accepts clients without one.
class TlsContext {
 public:
  /// With `present` false, clients send no certificate, as a browser does. Fails: throws if OpenSSL rejects a setting.
  TlsContext(const Identity& identity, bool present);
  SSL_CTX* client() const noexcept { return client_.get(); }
  SSL_CTX* server() const noexcept { return server_.get(); }

 private:
  struct SslContextFree {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  };
  using Context = std::unique_ptr<SSL_CTX, SslContextFree>;
  static Context make(bool server);
  static void load(SSL_CTX* context, const Identity& identity);
  Context client_, server_;
};

/// The TLS state of one connection. It may be destroyed before or after the ngtcp2_conn.
class TlsSession {
 public:
  /// `get` finds the ngtcp2_conn; `owner` is the user data of the reference that it is called with.
  TlsSession(SSL_CTX* context, bool server, void* owner, ngtcp2_crypto_get_conn get);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();
  /// For ngtcp2_conn_set_tls_native_handle.
  ngtcp2_crypto_ossl_ctx* native() const noexcept { return context_; }
  /// The remote's proven id, once the handshake is complete. Nothing without a certificate. Fails: invalid.
  Result<std::optional<PeerId>> peer() const;
  /// Available once the handshake is complete. Fails: internal.
  Result<ChannelBinding> channel_binding() const;

 private:
  ngtcp2_crypto_ossl_ctx* context_ = nullptr;
  SSL* ssl_ = nullptr;
  ngtcp2_crypto_conn_ref reference_{};
};

}  // namespace peer::net
