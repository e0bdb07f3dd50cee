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

#include "net/link.h"
#include "protocol/messages.h"
#include "runtime/channel.h"
#include "runtime/scope.h"

namespace peer::node {

using SessionId = std::uint64_t;

struct SessionOpened {
  SessionId session;
  PeerId peer;
  bool inbound;
  net::SocketAddress remote;
  rt::Channel<protocol::SessionMessage>::Sender out;
};
struct SessionReceived {
  SessionId session;
  protocol::SessionMessage message;
};
struct SessionClosed {
  SessionId session;
  Error reason;
};
using SessionReport = std::variant<SessionOpened, SessionReceived, SessionClosed>;

/// Shared by all sessions; immutable.
struct SessionContext {
  rt::Scope* net;
  rt::Channel<SessionReport>::Sender reports;  ///< to the control loop
  std::shared_ptr<std::atomic<SessionId>> next_id = std::make_shared<std::atomic<SessionId>>(1);

  SessionContext(rt::Scope* n, rt::Channel<SessionReport>::Sender r) : net(n), reports(std::move(r)) {}
};

/// After our Goodbye: how long the other side has to end its stream.
inline constexpr rt::Duration kGoodbyeWait = std::chrono::milliseconds(500);
/// Frames waiting to be sent to one peer; more mean that it does not read.
inline constexpr std::size_t kOutgoingFrames = 256;

/// Dials, opens the session and runs it to its end; returns why it ended.
rt::Task<Error> dial_session(SessionContext context, net::Transport* transport, net::SocketAddress address,
                             std::optional<PeerId> expected, rt::CancellationToken token);

/// Serves POST /v1/session.
rt::Task<void> accept_session(SessionContext context, net::ServerStream& stream, rt::CancellationToken token);

}  // namespace peer::node
