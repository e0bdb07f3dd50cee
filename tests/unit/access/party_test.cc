#include "libpeer/access/party.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace peer;
using namespace peer::access;
using namespace peer::net;

namespace {

const std::string kHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

PartySecret secret_of(const std::string& text) {
  auto secret = PartySecret::parse(text);
  INFO((secret ? std::string() : secret.error().message));
  REQUIRE(secret.has_value());
  return *secret;
}

template <class Id>
Id filled(std::uint8_t byte) {
  Id id;
  id.bytes.fill(byte);
  return id;
}

const PeerId kClient = filled<PeerId>(0xc1);
const PeerId kServer = filled<PeerId>(0x5e);
const ChannelBinding kBinding = filled<ChannelBinding>(0xb1);

}  // namespace

// The proofs were computed with Python's hmac module, and the key with `openssl kdf HKDF`.
TEST_CASE("party: the proofs equal the examples in protocol.md") {
  const PartySecret secret = secret_of(kHex);
  CHECK(secret.prove(Role::client, kClient, kServer, kBinding).hex() ==
        "08448e4b9397419a64e39b3d4d6e5d3a9d69acb0564ad42037215815f0165d54");
  CHECK(secret.prove(Role::server, kClient, kServer, kBinding).hex() ==
        "29df191933ca8e686ad96a7f36d58b3c452468e08b2451c0016a3c89a871a1b4");
  CHECK(secret_of("000102030405060708090a0b0c0d0e0f").prove(Role::client, kClient, kServer, kBinding).hex() ==
        "3d042d16c95e35a43f33051d5d9d9a3589df8dbfaf72931988a23fc784d1b7d9");
}

TEST_CASE("party: a proof is valid for one secret, side, pair of peers and connection only") {
  const PartySecret secret = secret_of(kHex);
  const PartyProof proof = secret.prove(Role::client, kClient, kServer, kBinding);
  CHECK(secret.accepts(proof, Role::client, kClient, kServer, kBinding));
  CHECK_FALSE(secret.accepts(proof, Role::server, kClient, kServer, kBinding));
  CHECK_FALSE(secret.accepts(proof, Role::client, kServer, kClient, kBinding));
  CHECK_FALSE(secret.accepts(proof, Role::client, kClient, filled<PeerId>(0x5f), kBinding));
  CHECK_FALSE(secret.accepts(proof, Role::client, filled<PeerId>(0xc2), kServer, kBinding));
  CHECK_FALSE(secret.accepts(proof, Role::client, kClient, kServer, filled<ChannelBinding>(0xb2)));
  CHECK_FALSE(secret_of("f0" + kHex.substr(2)).accepts(proof, Role::client, kClient, kServer, kBinding));
  for (std::size_t i = 0; i < proof.bytes.size() * 8; ++i) {
    PartyProof other = proof;
    other.bytes.at(i / 8) ^= static_cast<std::uint8_t>(1U << i % 8);
    CHECK_FALSE(secret.accepts(other, Role::client, kClient, kServer, kBinding));
  }
}

TEST_CASE("party: a key file contains hex digits or base64, with white space around it") {
  const PartySecret secret = secret_of(kHex);
  CHECK(secret_of(kHex + "\n") == secret);
  CHECK(secret_of(" \t" + kHex + "\r\n\n") == secret);
  CHECK(secret_of("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n") == secret);
  CHECK(secret_of("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F") == secret);
  CHECK_FALSE(secret_of(kHex.substr(0, 32)) == secret);
  CHECK(secret_of("AAECAwQFBgcICQoLDA0ODw==") == secret_of("000102030405060708090a0b0c0d0e0f"));
}

TEST_CASE("party: an invalid key is refused, and the message does not quote it") {
  for (const std::string& text : {std::string(), std::string("\n"), std::string("correct horse battery staple"),
                                  kHex.substr(0, 30), kHex.substr(0, 31), std::string("AAECAwQFBgcICQoLDA0O"),
                                  std::string("AAECAwQFBgcICQoLDA0ODw=="
                                              "AAECAwQFBgcICQoLDA0ODw=="),
                                  std::string("AAECAwQFBgcICQoLDA0ODw="), std::string(64, 'a'), std::string(64, '0'),
                                  kHex + "\n" + kHex, std::string(5000, '1'), std::string("====")}) {
    const auto secret = PartySecret::parse(text);
    INFO(text);
    REQUIRE_FALSE(secret.has_value());
    CHECK(secret.error().code == ErrorCode::invalid);
    if (text.size() > 8) CHECK_FALSE(secret.error().message.contains(text.substr(0, 8)));
  }
}
