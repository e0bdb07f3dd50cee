// TLS 1.3 for QUIC: contexts for both roles and the session of one connection.
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

/// What both roles share: ALPN h3, X25519, Ed25519 certificates whose dates and issuers mean nothing, no tickets, no
/// 0-RTT. A server asks for a certificate and does without one.
class TlsContext {
 public:
  /// `present` false: a client without a certificate, as a browser is. Fails: throws, OpenSSL refused its own settings.
  TlsContext(const Identity& identity, bool present);
  SSL_CTX* client() const noexcept { return client_.get(); }
  SSL_CTX* server() const noexcept { return server_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  };
  using Context = std::unique_ptr<SSL_CTX, Free>;
  static Context make(bool server);
  static void load(SSL_CTX* context, const Identity& identity);
  Context client_, server_;
};

/// One connection's TLS state, tied to its ngtcp2_conn; destroy it before or after that, in any order.
class TlsSession {
 public:
  /// `owner` is what `get` finds the ngtcp2_conn from.
  TlsSession(SSL_CTX* context, bool server, void* owner, ngtcp2_crypto_get_conn get);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();
  /// For ngtcp2_conn_set_tls_native_handle.
  ngtcp2_crypto_ossl_ctx* native() const noexcept { return context_; }
  /// The remote's proven id, once the handshake is complete; nothing without a certificate. Fails: invalid.
  Result<std::optional<PeerId>> peer() const;
  /// Once the handshake is complete. Fails: internal.
  Result<ChannelBinding> channel_binding() const;

 private:
  ngtcp2_crypto_ossl_ctx* context_ = nullptr;
  SSL* ssl_ = nullptr;
  ngtcp2_crypto_conn_ref reference_{};
};

}  // namespace peer::net
