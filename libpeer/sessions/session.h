// A session: the control stream of a pair of peers, on the net loop. Frames become reports to the control loop and
// back.
//
// Either side may have dialled; both ends run the same code. A session ends when its stream does, when its outgoing
// channel is closed, or after a Goodbye in either direction.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <variant>

#include "libpeer/access/gate.h"
#include "libpeer/net/link.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"

namespace peer::sessions {

using SessionId = std::uint64_t;

struct SessionOpened {
  SessionId session;
  PeerId peer;
  bool inbound;
  net::SocketAddress remote;
  runtime::Channel<protocol::SessionMessage>::Sender out;
  std::uint64_t dial;  ///< the number that dial_session() was given; 0 for an inbound one
  /// Messages reported and not yet taken in; who takes one in counts down.
  std::shared_ptr<std::atomic<std::size_t>> backlog;
};
struct SessionReceived {
  SessionId session;
  protocol::SessionMessage message;
};
struct SessionClosed {
  SessionId session;
  Error reason;
};
/// A peer asked for a session, and the gate did not admit it.
struct SessionDenied {
  SessionId session = 0;  ///< none
  PeerId peer;
  net::SocketAddress remote;
};
using SessionReport = std::variant<SessionOpened, SessionReceived, SessionClosed, SessionDenied>;

/// How a dial and its session ended.
struct DialEnd {
  Error reason;
  std::optional<PeerId> denied = {};  ///< who answered, where one side does not admit the other
};

/// Shared by all sessions; immutable.
struct SessionContext {
  runtime::Scope* net;
  runtime::Channel<SessionReport>::Sender reports;  ///< to the control loop
  access::Gate* gate;                               ///< used on the net loop; null: everyone is admitted
  std::shared_ptr<std::atomic<SessionId>> next_id = std::make_shared<std::atomic<SessionId>>(1);

  SessionContext(runtime::Scope* n, runtime::Channel<SessionReport>::Sender r, access::Gate* g = nullptr)
      : net(n), reports(std::move(r)), gate(g) {}
};

/// After our Goodbye: how long the other side has to end its stream.
inline constexpr runtime::Duration kGoodbyeWait = std::chrono::milliseconds(500);
/// Frames waiting to be sent to one peer; more mean that it does not read.
inline constexpr std::size_t kOutgoingFrames = 256;
/// Nor does one that has not let a frame go out for so long.
inline constexpr runtime::Duration kWriteWait = std::chrono::seconds(10);
/// For the answer to the session's request.
inline constexpr runtime::Duration kAnswerWait = std::chrono::seconds(5);
/// Frames of one peer that the control loop has not taken in yet; then its sending is held back. A frame may have
/// protocol::kMaxFrameBytes.
inline constexpr std::size_t kMaxBacklog = 8;

/// Dials, passes the gate, opens the session and runs it to its end. `dial` comes back in SessionOpened. Fails: refused
/// if it is not the peer that is `expected`.
runtime::Task<DialEnd> dial_session(SessionContext context, net::Transport* transport, net::SocketAddress address,
                                    std::optional<PeerId> expected, std::uint64_t dial,
                                    runtime::CancellationToken token);

/// Serves POST /v1/session.
runtime::Task<void> accept_session(SessionContext context, net::ServerStream& stream, runtime::CancellationToken token);

}  // namespace peer::sessions
