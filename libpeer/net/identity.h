// Identity: a peer's key and self-signed certificate. The peer id is the SHA-256 of the certificate's public key,
// encoded as SubjectPublicKeyInfo.
//
// Source: docs/protocol.md, section 2.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"

// OpenSSL's EVP_PKEY and X509.
struct evp_pkey_st;
struct x509_st;

namespace peer::net {

/// Immutable and cheap to copy. Loop: any thread. Owns: the key and the certificate, shared by all copies.
class Identity {
 public:
  /// Creates an Ed25519 key and a certificate. The dates in the certificate have no meaning. Fails: internal.
  static Result<Identity> generate();
  /// Parses what to_pem() returned. Fails: invalid.
  static Result<Identity> from_pem(std::string_view pem);
  /// The private key and the certificate in PEM. Secret.
  std::string to_pem() const;

  const PeerId& id() const noexcept;
  evp_pkey_st* key() const noexcept;
  x509_st* certificate() const noexcept;

 private:
  struct KeyPair;
  explicit Identity(std::shared_ptr<const KeyPair> pair) : pair_(std::move(pair)) {}
  std::shared_ptr<const KeyPair> pair_;
};

/// The peer id of a certificate. Fails: invalid if the key is not Ed25519.
Result<PeerId> peer_id_of(x509_st* certificate);

}  // namespace peer::net
