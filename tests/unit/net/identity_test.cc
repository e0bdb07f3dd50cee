#include "libpeer/net/identity.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>

using peer::ErrorCode;
using peer::net::Identity;

namespace {

Identity make() {
  auto identity = Identity::generate();
  REQUIRE(identity);
  return *identity;
}

std::string part(const std::string& pem, std::string_view first, std::string_view last) {
  const std::size_t begin = pem.find(first);
  const std::size_t end = pem.find(last, begin);
  REQUIRE(end != std::string::npos);
  return pem.substr(begin, end - begin + last.size()) + "\n";
}
std::string key_part(const std::string& pem) { return part(pem, "-----BEGIN PRIVATE", "END PRIVATE KEY-----"); }
std::string certificate_part(const std::string& pem) { return part(pem, "-----BEGIN CERT", "END CERTIFICATE-----"); }

}  // namespace

TEST_CASE("Every new identity is different") { CHECK(make().id() != make().id()); }

TEST_CASE("The peer id is the SHA-256 of the certificate's public key") {
  const Identity identity = make();
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(identity.certificate()), &der);
  REQUIRE(length == 44);  // RFC 8410: 12 bytes of algorithm, 32 of key
  peer::PeerId expected;
  SHA256(der, static_cast<std::size_t>(length), expected.bytes.data());
  OPENSSL_free(der);
  CHECK(identity.id() == expected);
  CHECK(peer::net::peer_id_of(identity.certificate()) == expected);
}

TEST_CASE("The certificate is self-signed, names peerd and is valid until 2999") {
  const Identity identity = make();
  X509* certificate = identity.certificate();
  CHECK(X509_verify(certificate, identity.key()) == 1);
  CHECK(X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0);
  char name[32] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  CHECK(std::string(name) == "peerd");
  std::time_t year_2001 = 978307200;
  std::time_t year_2500 = 16725225600;
  CHECK(X509_cmp_time(X509_get0_notBefore(certificate), &year_2001) < 0);
  CHECK(X509_cmp_time(X509_get0_notAfter(certificate), &year_2500) > 0);
}

TEST_CASE("An identity parsed from its PEM form is the same") {
  const Identity identity = make();
  const std::string pem = identity.to_pem();
  const auto again = Identity::from_pem(pem);
  REQUIRE(again);
  CHECK(again->id() == identity.id());
  CHECK(again->to_pem() == pem);
  CHECK(Identity::from_pem(certificate_part(pem) + key_part(pem)));
}

TEST_CASE("Damaged identities are rejected") {
  const std::string pem = make().to_pem();
  const std::string other = make().to_pem();
  for (const std::string& bad :
       {std::string(), std::string("hello"), key_part(pem), certificate_part(pem),
        key_part(pem) + certificate_part(other), pem.substr(0, pem.size() / 2), std::string(1 << 20, 'x')}) {
    const auto result = Identity::from_pem(bad);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::invalid);
    CHECK_FALSE(result.error().message.empty());
  }
}

TEST_CASE("A certificate with a key that is not Ed25519 has no peer id") {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  X509* certificate = X509_new();
  X509_set_pubkey(certificate, key);
  const auto id = peer::net::peer_id_of(certificate);
  REQUIRE_FALSE(id);
  CHECK(id.error().code == ErrorCode::invalid);
  X509_free(certificate);
  EVP_PKEY_free(key);
  CHECK_FALSE(peer::net::peer_id_of(nullptr));
}
