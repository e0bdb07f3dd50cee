// Datagrams of no known connection: new clients, address validation, and the answers that need no state.
#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <array>

#include "libpeer/net/connection.h"
#include "libpeer/net/core.h"

namespace peer::net {
namespace {

constexpr std::array<std::uint32_t, 1> kVersions{NGTCP2_PROTO_VER_V1};
constexpr std::size_t kMinimumForReset =
    kCidLength + 22;  // the answer must be shorter than its cause, and no cause again

}  // namespace

// A token bucket over all answers that anybody can provoke.
bool Core::may_answer() {
  if (blocked()) return false;
  const ngtcp2_tstamp at = now();
  const double elapsed = static_cast<double>(at - answered_at_) / static_cast<double>(NGTCP2_SECONDS);
  answers_left_ = std::min(limits::kStatelessBurst, answers_left_ + elapsed * limits::kStatelessPerSecond);
  answered_at_ = at;
  if (answers_left_ < 1) return false;
  answers_left_ -= 1;
  return true;
}

void Core::on_stranger(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote, Ecn ecn,
                       std::span<const std::uint8_t> data) {
  if (options_.admit && !options_.admit(remote)) return;
  ngtcp2_pkt_hd header;
  if (ngtcp2_accept(&header, data.data(), data.size()) != 0) {
    if ((data[0] & 0x80U) == 0) reset_stateless(ids, local, remote, ecn, data);
    return;
  }
  if (!serving_ || connections_.size() >= limits::kInbound) {
    return refuse(header, NGTCP2_CONNECTION_REFUSED, local, remote);
  }
  Connection::Accept accept{header, std::nullopt, local, remote};
  if (header.tokenlen > 0 && header.token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) {
    sockaddr_storage native;
    const socklen_t length = remote.to_native(AF_INET6, native);
    ngtcp2_cid original;
    const auto life = std::chrono::duration_cast<std::chrono::nanoseconds>(limits::kRetryTokenLife).count();
    if (ngtcp2_crypto_verify_retry_token2(&original, header.token, header.tokenlen, token_secret_.data(),
                                          token_secret_.size(), header.version, reinterpret_cast<sockaddr*>(&native),
                                          length, &header.dcid, static_cast<ngtcp2_duration>(life), now()) != 0) {
      return refuse(header, NGTCP2_INVALID_TOKEN, local, remote);
    }
    accept.original = original;
  } else if (half_open_ >= options_.half_open) {
    return retry(header, local, remote);
  }
  if (!accept.original && header.dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN) return;
  const auto connection = std::make_shared<Connection>(*this, accept);
  ++half_open_;
  add(connection);
  if (connection->receive(local, remote, ecn, data) == NGTCP2_ERR_RETRY) retry(header, local, remote);
}

void Core::negotiate_version(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote) {
  if (stopping_ || !may_answer()) return;
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  std::array<std::uint8_t, 1> chance;
  random().fill(chance);
  const ngtcp2_ssize size =
      ngtcp2_pkt_write_version_negotiation(packet.data(), packet.size(), chance[0], ids.scid, ids.scidlen, ids.dcid,
                                           ids.dcidlen, kVersions.data(), kVersions.size());
  if (size > 0) transmit(local, remote, 0, std::span(packet).first(static_cast<std::size_t>(size)), packet.size());
}

// Either a peer talks to a connection that we have forgotten, or it has forgotten ours and says so with such a reset
// itself.
void Core::reset_stateless(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote,
                           Ecn ecn, std::span<const std::uint8_t> data) {
  if (!may_answer()) return;
  for (const auto& [serial, connection] : connections_) {
    if (!connection->is_over() && connection->remote() == remote &&
        connection->receive(local, remote, ecn, data) == NGTCP2_ERR_DRAINING) {
      return;
    }
  }
  if (data.size() < kMinimumForReset) return;
  ngtcp2_cid cid;
  ngtcp2_cid_init(&cid, ids.dcid, ids.dcidlen);
  ngtcp2_stateless_reset_token token;
  if (ngtcp2_crypto_generate_stateless_reset_token(token.data, reset_secret_.data(), reset_secret_.size(), &cid) != 0)
    return;
  std::array<std::uint8_t, 64> noise;
  random().fill(noise);
  std::array<std::uint8_t, 64> packet;
  const std::size_t room = std::min(packet.size(), data.size() - 1);
  const ngtcp2_ssize size = ngtcp2_pkt_write_stateless_reset2(packet.data(), room, &token, noise.data(),
                                                              room - NGTCP2_STATELESS_RESET_TOKENLEN);
  if (size > 0) transmit(local, remote, 0, std::span(packet).first(static_cast<std::size_t>(size)), packet.size());
}

void Core::retry(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote) {
  if (blocked()) return;
  ngtcp2_cid scid{};
  scid.datalen = kCidLength;
  random().fill({scid.data, scid.datalen});
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
  if (size > 0) transmit(local, remote, 0, std::span(packet).first(static_cast<std::size_t>(size)), packet.size());
}

void Core::refuse(const ngtcp2_pkt_hd& header, std::uint64_t code, const SocketAddress& local,
                  const SocketAddress& remote) {
  if (!may_answer()) return;
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  const ngtcp2_ssize size = ngtcp2_crypto_write_connection_close(packet.data(), packet.size(), header.version,
                                                                 &header.scid, &header.dcid, code, nullptr, 0);
  if (size > 0) transmit(local, remote, 0, std::span(packet).first(static_cast<std::size_t>(size)), packet.size());
}

}  // namespace peer::net
