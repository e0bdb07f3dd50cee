// Session: what the control loop knows about one session with a peer.
//
// Pure state: time and randomness are arguments. SessionProtocol uses it for its decisions; SessionLinks sends.
// Loop: control.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libpeer/base/random.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/runtime/token_bucket.h"
#include "libpeer/sessions/session_stream.h"

namespace peer::sessions {

struct Session {
  PeerId peer;
  net::SocketAddress remote;
  std::string found_by;    ///< how the peer was found; "inbound" if the peer dialed
  std::uint64_t dial = 0;  ///< the number of this peer's dial; 0 for an inbound session
  runtime::TimePoint opened{};
  bool greeted = false;         ///< the peer's Hello was accepted
  bool closed = false;          ///< closed from this side: nothing more is sent, and only a Goodbye still counts
  std::uint64_t announced = 0;  ///< revision of this peer's library that the peer has or is being sent

  bool inbound() const noexcept { return dial == 0; }
  bool usable() const noexcept { return greeted && !closed; }

  /// The ping to send now.
  protocol::Ping start_ping(runtime::TimePoint now, Random& random);
  /// The round trip, if `pong` answers the last ping.
  std::optional<runtime::Duration> on_pong(const protocol::Pong& pong, runtime::TimePoint now);
  /// A ping was sent less than `limit` ago and has no answer yet.
  bool awaits_pong(runtime::TimePoint now, runtime::Duration limit) const;

  /// The request to send now.
  protocol::LibraryRequest request_library(std::uint64_t since, runtime::TimePoint now);
  /// The last request is so recent that its answer will be complete.
  bool requested_library_recently(runtime::TimePoint now) const;
  /// False if the peer requests this peer's library too often.
  bool admit_library_request(runtime::TimePoint now);

 private:
  std::optional<runtime::TimePoint> ping_sent_;
  std::uint64_t ping_nonce_ = 0;
  std::optional<runtime::TimePoint> library_requested_;
  runtime::TokenBucket library_requests_;
};

}  // namespace peer::sessions
