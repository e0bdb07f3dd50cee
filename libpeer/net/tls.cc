#include "libpeer/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

#include "libpeer/base/check.h"

namespace peer::net {
namespace {

constexpr unsigned char kAlpn[] = {2, 'h', '3'};

void require(bool ok, const char* what) {
  if (ok) return;
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(std::string("OpenSSL: ") + what + ": " + text);
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in, unsigned in_length,
                void*) {
  for (unsigned at = 0; at < in_length; at += 1U + in[at]) {
    if (in[at] == 2 && at + 3 <= in_length && in[at + 1] == 'h' && in[at + 2] == '3') {
      *out = &in[at + 1];
      *out_length = 2;
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Accepts every well-formed Ed25519 certificate: the peer id is the hash of the key. Layers above decide what the peer
// may do.
int verify_certificate(X509_STORE_CTX* store, void*) {
  X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (certificate != nullptr && peer_id_of(certificate)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

}  // namespace

TlsContext::Context TlsContext::make(bool server) {
  static std::once_flag once;
  std::call_once(once, [] { PEER_CHECK(ngtcp2_crypto_ossl_init() == 0); });
  Context context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* c = context.get();
  require(c != nullptr, "context");
  require(
      SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 && SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1,
      "version");
  // AES-128-GCM is the fastest on processors with AES instructions. The others are for clients that require them.
  require(
      SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1,
      "ciphers");
  require(SSL_CTX_set1_groups_list(c, "X25519") == 1, "groups");
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(c, 0);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(c, &verify_certificate, nullptr);
  if (server) {
    SSL_CTX_set_alpn_select_cb(c, &select_alpn, nullptr);
  } else {
    require(SSL_CTX_set_alpn_protos(c, kAlpn, sizeof kAlpn) == 0, "ALPN");
  }
  return context;
}

void TlsContext::load(SSL_CTX* context, const Identity& identity) {
  require(SSL_CTX_use_certificate(context, identity.certificate()) == 1, "certificate");
  require(SSL_CTX_use_PrivateKey(context, identity.key()) == 1, "key");
}

TlsContext::TlsContext(const Identity& identity, bool present) : client_(make(false)), server_(make(true)) {
  if (present) load(client_.get(), identity);
  load(server_.get(), identity);
}

TlsSession::TlsSession(SSL_CTX* context, bool server, void* owner, ngtcp2_crypto_get_conn get) {
  if (ngtcp2_crypto_ossl_ctx_new(&context_, nullptr) != 0) throw std::bad_alloc();
  ssl_ = SSL_new(context);
  PEER_CHECK(ssl_ != nullptr);
  ngtcp2_crypto_ossl_ctx_set_ssl(context_, ssl_);
  reference_.get_conn = get;
  reference_.user_data = owner;
  SSL_set_app_data(ssl_, &reference_);
  if (server) {
    PEER_CHECK(ngtcp2_crypto_ossl_configure_server_session(ssl_) == 0);
    SSL_set_accept_state(ssl_);
  } else {
    PEER_CHECK(ngtcp2_crypto_ossl_configure_client_session(ssl_) == 0);
    SSL_set_connect_state(ssl_);
  }
}

TlsSession::~TlsSession() {
  SSL_set_app_data(ssl_, nullptr);  // otherwise SSL_free() would use the connection
  ngtcp2_crypto_ossl_ctx_del(context_);
  SSL_free(ssl_);
}

Result<std::optional<PeerId>> TlsSession::peer() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return std::nullopt;
  Result<PeerId> id = peer_id_of(certificate);
  if (!id) return std::unexpected(std::move(id.error()));
  return *id;
}

Result<ChannelBinding> TlsSession::channel_binding() const {
  static constexpr std::string_view kLabel = "EXPORTER-peerd-channel-binding";
  ChannelBinding binding;
  if (SSL_export_keying_material(ssl_, binding.bytes.data(), binding.bytes.size(), kLabel.data(), kLabel.size(),
                                 nullptr, 0, 0) != 1) {
    return fail(ErrorCode::internal, "TLS cannot export keying material");
  }
  return binding;
}

}  // namespace peer::net
