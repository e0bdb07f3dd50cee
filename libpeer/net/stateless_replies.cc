#include "libpeer/net/stateless_replies.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string>

#include "libpeer/base/check.h"
#include "libpeer/net/connection_ids.h"
#include "libpeer/net/quic_time.h"

namespace peer::net {
namespace {

constexpr std::array<std::uint32_t, 1> kVersions{NGTCP2_PROTO_VER_V1};
// A reset must be shorter than the datagram that caused it, so that two peers never answer each other endlessly.
constexpr std::size_t kMinimumForReset = kCidLength + 22;

// Derived from the private key, so that a restarted peer can end the connections it has lost. The port is part of it:
// otherwise one endpoint would reveal the reset tokens of another.
std::array<std::uint8_t, 32> reset_secret_of(const Identity& identity, std::uint16_t port) {
  std::string input = "peerd stateless reset " + std::to_string(port) + "\n" + identity.to_pem();
  std::array<std::uint8_t, 32> secret{};
  PEER_CHECK(EVP_Digest(input.data(), input.size(), secret.data(), nullptr, EVP_sha256(), nullptr) == 1);
  OPENSSL_cleanse(input.data(), input.size());
  return secret;
}

}  // namespace

StatelessReplies::StatelessReplies(const runtime::Executor& executor, SendQueue& out, Random& random,
                                   const Identity& identity, std::uint16_t port)
    : executor_(executor), out_(out), random_(random), reset_secret_(reset_secret_of(identity, port)) {
  random_.fill(token_secret_);
}

ngtcp2_tstamp StatelessReplies::now() const { return quic_time(executor_.now()); }

bool StatelessReplies::may_answer() {
  if (out_.blocked()) return false;
  const ngtcp2_tstamp at = now();
  const double elapsed = static_cast<double>(at - answered_at_) / static_cast<double>(NGTCP2_SECONDS);
  answers_left_ = std::min(limits::kStatelessBurst, answers_left_ + elapsed * limits::kStatelessPerSecond);
  answered_at_ = at;
  if (answers_left_ < 1) return false;
  answers_left_ -= 1;
  return true;
}

void StatelessReplies::send(const SocketAddress& local, const SocketAddress& remote,
                            std::span<const std::uint8_t> packet, ngtcp2_ssize size) {
  if (size > 0) out_.send(local, remote, 0, packet.first(static_cast<std::size_t>(size)), packet.size());
}

void StatelessReplies::negotiate_version(const ngtcp2_version_cid& ids, const SocketAddress& local,
                                         const SocketAddress& remote) {
  if (!may_answer()) return;
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  std::array<std::uint8_t, 1> chance;
  random_.fill(chance);
  const ngtcp2_ssize size =
      ngtcp2_pkt_write_version_negotiation(packet.data(), packet.size(), chance[0], ids.scid, ids.scidlen, ids.dcid,
                                           ids.dcidlen, kVersions.data(), kVersions.size());
  send(local, remote, packet, size);
}

void StatelessReplies::reset(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote,
                             std::size_t received) {
  if (received < kMinimumForReset) return;
  ngtcp2_cid cid;
  ngtcp2_cid_init(&cid, ids.dcid, ids.dcidlen);
  ngtcp2_stateless_reset_token token;
  if (!reset_token(cid, token.data)) return;
  std::array<std::uint8_t, 64> noise;
  random_.fill(noise);
  std::array<std::uint8_t, 64> packet;
  const std::size_t room = std::min(packet.size(), received - 1);
  const ngtcp2_ssize size = ngtcp2_pkt_write_stateless_reset2(packet.data(), room, &token, noise.data(),
                                                              room - NGTCP2_STATELESS_RESET_TOKENLEN);
  send(local, remote, packet, size);
}

void StatelessReplies::retry(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote) {
  if (out_.blocked()) return;
  ngtcp2_cid scid{};
  scid.datalen = kCidLength;
  random_.fill({scid.data, scid.datalen});
  sockaddr_storage native;
  const socklen_t length = remote.to_native(AF_INET6, native);
  std::array<std::uint8_t, NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2> token;
  const ngtcp2_ssize token_size =
      ngtcp2_crypto_generate_retry_token2(token.data(), token_secret_.data(), token_secret_.size(), header.version,
                                          reinterpret_cast<sockaddr*>(&native), length, &scid, &header.dcid, now());
  if (token_size < 0) return;
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  const ngtcp2_ssize size = ngtcp2_crypto_write_retry(packet.data(), packet.size(), header.version, &header.scid, &scid,
                                                      &header.dcid, token.data(), static_cast<std::size_t>(token_size));
  send(local, remote, packet, size);
}

void StatelessReplies::refuse(const ngtcp2_pkt_hd& header, std::uint64_t code, const SocketAddress& local,
                              const SocketAddress& remote) {
  if (!may_answer()) return;
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  const ngtcp2_ssize size = ngtcp2_crypto_write_connection_close(packet.data(), packet.size(), header.version,
                                                                 &header.scid, &header.dcid, code, nullptr, 0);
  send(local, remote, packet, size);
}

std::optional<ngtcp2_cid> StatelessReplies::verify_token(const ngtcp2_pkt_hd& header,
                                                         const SocketAddress& remote) const {
  sockaddr_storage native;
  const socklen_t length = remote.to_native(AF_INET6, native);
  ngtcp2_cid original;
  if (ngtcp2_crypto_verify_retry_token2(&original, header.token, header.tokenlen, token_secret_.data(),
                                        token_secret_.size(), header.version, reinterpret_cast<sockaddr*>(&native),
                                        length, &header.dcid, quic_duration(limits::kRetryTokenLife), now()) != 0) {
    return std::nullopt;
  }
  return original;
}

bool StatelessReplies::reset_token(const ngtcp2_cid& cid, std::uint8_t* token) const {
  return ngtcp2_crypto_generate_stateless_reset_token(token, reset_secret_.data(), reset_secret_.size(), &cid) == 0;
}

}  // namespace peer::net
