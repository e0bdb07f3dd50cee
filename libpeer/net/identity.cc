#include "libpeer/net/identity.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <cstdint>
#include <utility>

#include "libpeer/base/check.h"

namespace peer::net {

namespace {

struct OpensslFree {
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(X509* p) const noexcept { X509_free(p); }
  void operator()(BIO* p) const noexcept { BIO_free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, OpensslFree>;
using Certificate = std::unique_ptr<X509, OpensslFree>;
using Memory = std::unique_ptr<BIO, OpensslFree>;

/// Adds OpenSSL's reason to the message and empties OpenSSL's error queue.
std::unexpected<Error> fail_openssl(ErrorCode code, std::string message) {
  if (const unsigned long error = ERR_peek_last_error(); error != 0) {
    const char* reason = ERR_reason_error_string(error);
    message += ": ";
    message += reason != nullptr ? reason : "OpenSSL error " + std::to_string(error);
  }
  ERR_clear_error();
  return fail(code, std::move(message));
}

Result<PeerId> id_of_key(EVP_PKEY* key) {
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
    return fail_openssl(ErrorCode::invalid, "the certificate's key is not Ed25519");
  }
  // Encode the key again: its id must not depend on how the certificate encodes it.
  std::uint8_t* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) return fail_openssl(ErrorCode::invalid, "the certificate's key cannot be encoded");
  PeerId id;
  SHA256(der, static_cast<std::size_t>(length), id.bytes.data());
  OPENSSL_free(der);
  return id;
}

bool set_name_and_dates(X509* certificate) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>("peerd");
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "20000101000000Z") == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "29991231235959Z") == 1;
}

constexpr std::size_t kMaxPem = 64 << 10;

/// Refuses encrypted keys. OpenSSL's default would ask for a password on the terminal.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

struct Identity::KeyPair {
  Key key;
  Certificate certificate;
  PeerId id;
};

Result<Identity> Identity::generate() {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return fail_openssl(ErrorCode::internal, "cannot create an Ed25519 key");
  Certificate certificate(X509_new());
  if (!certificate || !set_name_and_dates(certificate.get()) || X509_set_pubkey(certificate.get(), key.get()) != 1 ||
      X509_sign(certificate.get(), key.get(), nullptr) == 0) {
    return fail_openssl(ErrorCode::internal, "cannot create a certificate");
  }
  auto id = id_of_key(key.get());
  if (!id) return std::unexpected(id.error());
  return Identity(std::make_shared<const KeyPair>(KeyPair{std::move(key), std::move(certificate), *id}));
}

Result<Identity> Identity::from_pem(std::string_view pem) {
  if (pem.size() > kMaxPem) return fail(ErrorCode::invalid, "the identity has more than 64 KiB");
  Memory key_text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Memory certificate_text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!key_text || !certificate_text) return fail_openssl(ErrorCode::invalid, "the identity is empty");
  Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_password, nullptr));
  if (!key) return fail_openssl(ErrorCode::invalid, "the identity has no readable private key");
  Certificate certificate(PEM_read_bio_X509(certificate_text.get(), nullptr, no_password, nullptr));
  if (!certificate) return fail_openssl(ErrorCode::invalid, "the identity has no readable certificate");
  auto id = peer_id_of(certificate.get());
  if (!id) return std::unexpected(id.error());
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return fail_openssl(ErrorCode::invalid, "the identity's certificate belongs to another key");
  }
  return Identity(std::make_shared<const KeyPair>(KeyPair{std::move(key), std::move(certificate), *id}));
}

std::string Identity::to_pem() const {
  Memory out(BIO_new(BIO_s_secmem()));
  PEER_CHECK(out);
  PEER_CHECK(PEM_write_bio_PrivateKey(out.get(), key(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  PEER_CHECK(PEM_write_bio_X509(out.get(), certificate()) == 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

const PeerId& Identity::id() const noexcept { return pair_->id; }
EVP_PKEY* Identity::key() const noexcept { return pair_->key.get(); }
X509* Identity::certificate() const noexcept { return pair_->certificate.get(); }

Result<PeerId> peer_id_of(X509* certificate) {
  if (certificate == nullptr) return fail(ErrorCode::invalid, "the other side sent no certificate");
  return id_of_key(X509_get0_pubkey(certificate));
}

}  // namespace peer::net
