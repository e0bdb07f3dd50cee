// A session's stream: the control stream of a pair of peers (POST /v1/session), on the net loop. Frames become reports
// to the control loop, and messages from the control loop become frames.
//
// Either side may have dialed; both ends run the same code. A session ends when its stream ends, when its outgoing
// channel is closed, or after a Goodbye in either direction.
// Loop: net.
// Limits: kMaxUnhandledFrames per session, kMaxUnhandledFramesInAll in all, and the rates of FrameMeter; beyond that a
// stream is not read, so flow control stops the peer from sending.
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
#include "libpeer/runtime/workers.h"
#include "libpeer/sessions/credits.h"
#include "libpeer/sessions/frame_memory.h"
#include "libpeer/sessions/session_slots.h"

namespace peer::sessions {

using SessionId = std::uint64_t;

struct SessionOpened {
  SessionId session;
  PeerId peer;
  bool inbound;
  net::SocketAddress remote;
  runtime::Channel<protocol::SessionMessage>::Sender out;
  std::uint64_t dial;  ///< the number that dial_session() was given; 0 for an inbound session
};
struct SessionReceived {
  SessionId session;
  protocol::SessionMessage message;
  Credit credit = {};  ///< of the session; returned once the message is handled
  Credit total = {};   ///< of all sessions together
  FrameBytes charged = {};
};
struct SessionClosed {
  SessionId session;
  Error reason;
};
/// A peer requested a session, but the gate did not admit it.
struct SessionDenied {
  SessionId session = 0;  ///< none
  PeerId peer;
  net::SocketAddress remote;
};
using SessionReport = std::variant<SessionOpened, SessionReceived, SessionClosed, SessionDenied>;

/// How a dial and its session ended.
struct DialEnd {
  Error reason;
  std::optional<PeerId> denied = {};  ///< the peer that answered, if one side does not admit the other
};

/// How long the other side has to end its stream after our Goodbye.
inline constexpr runtime::Duration kGoodbyeWait = std::chrono::milliseconds(500);
/// Frames waiting to be sent to one peer. More than that means that the peer does not read.
inline constexpr std::size_t kOutgoingFrames = 256;
/// Time for one frame to be written. A longer time means that the peer does not read.
inline constexpr runtime::Duration kWriteWait = std::chrono::seconds(10);
/// Time for the answer to the session's request.
inline constexpr runtime::Duration kAnswerWait = std::chrono::seconds(5);
/// Time for the peer's Hello.
inline constexpr runtime::Duration kHelloWait = std::chrono::seconds(5);
/// Memory for frames of more than kFirstFrameBytes, of all sessions. One account has at most half of it.
inline constexpr std::size_t kFrameMemory = 64 << 20;
/// Frames of one session that the control loop has not handled yet. A frame has up to protocol::kMaxFrameBytes.
inline constexpr std::size_t kMaxUnhandledFrames = 8;
/// Frames of all sessions that the control loop has not handled yet.
inline constexpr std::size_t kMaxUnhandledFramesInAll = 4096;

/// What all sessions share; immutable.
struct SessionContext {
  runtime::Scope* net;
  runtime::Channel<SessionReport>::Sender reports;  ///< to the control loop
  access::Gate* gate;                               ///< used on the net loop; null: every peer is admitted
  std::shared_ptr<std::atomic<SessionId>> next_id = std::make_shared<std::atomic<SessionId>>(1);
  std::shared_ptr<CreditPool> unhandled;  ///< frames of all sessions
  std::shared_ptr<FrameMemory> memory;
  std::shared_ptr<SessionSlots> slots = std::make_shared<SessionSlots>();
  runtime::Workers* workers = nullptr;  ///< decode large frames; null: the net loop decodes all

  SessionContext(runtime::Scope* n, runtime::Channel<SessionReport>::Sender r, access::Gate* g = nullptr)
      : net(n),
        reports(std::move(r)),
        gate(g),
        unhandled(std::make_shared<CreditPool>(n->executor(), kMaxUnhandledFramesInAll)),
        memory(std::make_shared<FrameMemory>(n->executor(), kFrameMemory)) {}
};

/// Dials, passes the gate, opens the session and runs it to its end. SessionOpened repeats `dial`. Fails: refused if
/// another peer than `expected` answers.
runtime::Task<DialEnd> dial_session(SessionContext context, net::Transport* transport, net::SocketAddress address,
                                    std::optional<PeerId> expected, std::uint64_t dial,
                                    runtime::CancellationToken token);

/// Serves POST /v1/session.
runtime::Task<void> accept_session(SessionContext context, net::ServerStream& stream, runtime::CancellationToken token);

}  // namespace peer::sessions
