// StatelessReplies: the answers to datagrams that belong to no connection, and the secrets that they use.
//
// Loop: the endpoint's. Limits: a token bucket (limits::kStatelessBurst, kStatelessPerSecond) bounds the answers that
// strangers can cause. Source: RFC 9000, 6 (version negotiation), 8.1.2 (Retry), 10.3 (stateless reset).
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "libpeer/base/random.h"
#include "libpeer/net/address.h"
#include "libpeer/net/identity.h"
#include "libpeer/net/limits.h"
#include "libpeer/net/send_queue.h"
#include "libpeer/runtime/executor.h"

namespace peer::net {

class StatelessReplies {
 public:
  StatelessReplies(const runtime::Executor& executor, SendQueue& out, Random& random, const Identity& identity,
                   std::uint16_t port);

  /// Takes one answer from the bucket. False: send no answer.
  bool may_answer();

  void negotiate_version(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote);
  /// Tells a peer that its connection does not exist here. Call may_answer() first.
  void reset(const ngtcp2_version_cid& ids, const SocketAddress& local, const SocketAddress& remote,
             std::size_t received);
  /// Asks a client to prove its address.
  void retry(const ngtcp2_pkt_hd& header, const SocketAddress& local, const SocketAddress& remote);
  void refuse(const ngtcp2_pkt_hd& header, std::uint64_t code, const SocketAddress& local, const SocketAddress& remote);

  /// Checks the Retry token in `header`. Returns the connection id that the client chose first.
  std::optional<ngtcp2_cid> verify_token(const ngtcp2_pkt_hd& header, const SocketAddress& remote) const;
  /// Writes the token with which a stateless reset of `cid` can be recognized.
  bool reset_token(const ngtcp2_cid& cid, std::uint8_t* token) const;

 private:
  ngtcp2_tstamp now() const;
  void send(const SocketAddress& local, const SocketAddress& remote, std::span<const std::uint8_t> packet,
            ngtcp2_ssize size);

  const runtime::Executor& executor_;
  SendQueue& out_;
  Random& random_;
  std::array<std::uint8_t, 32> token_secret_{};
  std::array<std::uint8_t, 32> reset_secret_{};  // the same after a restart
  double answers_left_ = limits::kStatelessBurst;
  ngtcp2_tstamp answered_at_ = 0;
};

}  // namespace peer::net
