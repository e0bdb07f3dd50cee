// Identity: a peer's key and self-signed certificate. The peer id is the SHA-256 of the certificate's public key
// (SPKI).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libpeer/base/digest.h"
#include "libpeer/base/result.h"

// OpenSSL's own names.
struct evp_pkey_st;
struct x509_st;

namespace peer::net {

/// Owns: key and certificate; cheap to copy, immutable, any thread.
class Identity {
 public:
  /// A new Ed25519 key with a certificate; its dates are not meant to be believed.
  static Result<Identity> generate();
  /// Both parts in PEM, as to_pem() wrote them. Fails: invalid.
  static Result<Identity> from_pem(std::string_view pem);
  /// The private key and the certificate. Secret.
  std::string to_pem() const;

  const PeerId& id() const noexcept;
  evp_pkey_st* key() const noexcept;
  x509_st* certificate() const noexcept;

 private:
  struct Parts;
  explicit Identity(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

/// The peer id in a certificate that a remote showed. Fails: invalid if its key is not Ed25519.
Result<PeerId> peer_id_of(x509_st* certificate);

}  // namespace peer::net
