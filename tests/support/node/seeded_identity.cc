#include "support/node/seeded_identity.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <string>

#include "libpeer/base/check.h"
#include "libpeer/base/random.h"

namespace peer::test {

net::Identity seeded_identity(std::uint64_t seed) {
  std::array<std::uint8_t, 32> secret{};
  seeded_random(seed)->fill(secret);
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size());
  X509* certificate = X509_new();
  PEER_CHECK(key != nullptr && certificate != nullptr);
  PEER_CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
  PEER_CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), seed >> 1 | 1) == 1);
  const auto* name = reinterpret_cast<const unsigned char*>("peerd");
  PEER_CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, name, -1, -1, 0) == 1);
  PEER_CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
  PEER_CHECK(ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "20000101000000Z") == 1);
  PEER_CHECK(ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "29991231235959Z") == 1);
  PEER_CHECK(X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, nullptr) != 0);
  BIO* out = BIO_new(BIO_s_mem());
  PEER_CHECK(PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  PEER_CHECK(PEM_write_bio_X509(out, certificate) == 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(out, &data);
  const std::string pem(data, static_cast<std::size_t>(length));
  BIO_free(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return *net::Identity::from_pem(pem);
}

}  // namespace peer::test
