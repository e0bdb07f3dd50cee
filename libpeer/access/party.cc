#include "libpeer/access/party.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "libpeer/base/check.h"
#include "libpeer/base/hex.h"

namespace peer::access {
namespace {

constexpr std::size_t kMinBytes = 16;
constexpr std::size_t kMaxTextBytes = 4096;
/// Minimum number of different bytes. Sixteen random bytes have fewer with a probability of 10^-11.
constexpr std::size_t kMinDifferent = 8;
constexpr std::string_view kInfo = "peerd party proof 1";

using Mac = std::array<std::uint8_t, 32>;

/// Bytes that are erased when they are no longer needed.
struct WipedBytes {
  std::vector<std::uint8_t> bytes;
  WipedBytes() = default;
  WipedBytes(const WipedBytes&) = delete;
  WipedBytes& operator=(const WipedBytes&) = delete;
  ~WipedBytes() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

Mac hmac(std::span<const std::uint8_t> key, std::span<const std::uint8_t> message) {
  Mac mac{};
  unsigned length = 0;
  PEER_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), mac.data(),
                  &length) != nullptr);
  PEER_CHECK(length == mac.size());
  return mac;
}

/// HKDF-SHA256 (RFC 5869), without a salt, with one block of output.
Mac derive(std::span<const std::uint8_t> secret) {
  constexpr Mac kNoSalt{};
  Mac extracted = hmac(kNoSalt, secret);
  std::vector<std::uint8_t> info(kInfo.begin(), kInfo.end());
  info.push_back(1);
  const Mac key = hmac(extracted, info);
  OPENSSL_cleanse(extracted.data(), extracted.size());
  return key;
}

bool is_hex(std::string_view text) {
  return text.size() % 2 == 0 && std::ranges::all_of(text, [](char c) { return hex_digit(c) >= 0; });
}

void decode_hex(std::string_view text, std::vector<std::uint8_t>& into) {
  for (std::size_t i = 0; i < text.size(); i += 2) {
    into.push_back(static_cast<std::uint8_t>(hex_digit(text[i]) << 4 | hex_digit(text[i + 1])));
  }
}

/// RFC 4648, with padding.
bool decode_base64(std::string_view text, std::vector<std::uint8_t>& into) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.empty() || text.size() % 4 != 0 || text.substr(0, text.size() - padding).contains('=')) return false;
  if (std::ranges::any_of(text, [](char c) { return static_cast<std::uint8_t>(c) <= ' '; })) return false;
  into.resize(text.size() / 4 * 3);
  const int length =
      EVP_DecodeBlock(into.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (length != static_cast<int>(into.size())) return false;
  into.resize(into.size() - padding);
  return true;
}

std::size_t count_different(std::span<const std::uint8_t> bytes) {
  std::array<bool, 256> seen{};
  for (const std::uint8_t byte : bytes) seen[byte] = true;
  return static_cast<std::size_t>(std::ranges::count(seen, true));
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::uint8_t> message_of(Role role, const PeerId& client, const PeerId& server,
                                     const net::ChannelBinding& binding) {
  std::vector<std::uint8_t> message(kInfo.begin(), kInfo.end());
  message.push_back(role == Role::client ? 'C' : 'S');
  for (const std::span<const std::uint8_t> part :
       {std::span(client.bytes), std::span(server.bytes), std::span(binding.bytes)}) {
    message.insert(message.end(), part.begin(), part.end());
  }
  return message;
}

}  // namespace

struct PartySecret::Key {
  explicit Key(std::span<const std::uint8_t> secret) : bytes(derive(secret)) {}
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  Mac bytes;
};

Result<PartySecret> PartySecret::parse(std::string_view text) {
  text = trim(text);
  if (text.empty()) return fail(ErrorCode::invalid, "it is empty");
  if (text.size() > kMaxTextBytes) return fail(ErrorCode::invalid, "it is too long for a key");
  WipedBytes secret;
  secret.bytes.reserve(text.size());
  if (is_hex(text)) {
    decode_hex(text, secret.bytes);
  } else if (!decode_base64(text, secret.bytes)) {
    return fail(ErrorCode::invalid, "it is neither hex digits nor base64");
  } else if (text.find_first_of("0123456789+/=") == std::string_view::npos) {
    return fail(ErrorCode::invalid, "it looks like words, which can be guessed, instead of random base64");
  }
  if (secret.bytes.size() < kMinBytes) {
    return fail(ErrorCode::invalid, "it has " + std::to_string(secret.bytes.size() * 8) +
                                        " bits, but a key needs at least 128 bits (32 hex digits)");
  }
  if (count_different(secret.bytes) < kMinDifferent) return fail(ErrorCode::invalid, "it is not random");
  return PartySecret(std::make_shared<const Key>(secret.bytes));
}

PartyProof PartySecret::prove(Role role, const PeerId& client, const PeerId& server,
                              const net::ChannelBinding& binding) const {
  PartyProof proof;
  proof.bytes = hmac(key_->bytes, message_of(role, client, server, binding));
  return proof;
}

bool PartySecret::accepts(const PartyProof& proof, Role role, const PeerId& client, const PeerId& server,
                          const net::ChannelBinding& binding) const {
  const PartyProof right = prove(role, client, server, binding);
  return CRYPTO_memcmp(right.bytes.data(), proof.bytes.data(), right.bytes.size()) == 0;
}

bool PartySecret::operator==(const PartySecret& other) const noexcept {
  return CRYPTO_memcmp(key_->bytes.data(), other.key_->bytes.data(), key_->bytes.size()) == 0;
}

}  // namespace peer::access
