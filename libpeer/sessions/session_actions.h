// The actions that SessionProtocol returns. Peers carries them out in their order.
#pragma once

#include <cstdint>
#include <variant>

#include "libpeer/api/events.h"
#include "libpeer/base/result.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/sessions/session_stream.h"

namespace peer::sessions {

struct SendMessage {
  SessionId session;
  protocol::SessionMessage message;
  bool urgent = false;  ///< sent even if too many messages are already waiting
};
/// Messages that were queued before are still sent.
struct CloseSession {
  SessionId session;
};
/// A dial has reached `peer`.
struct DialAnswered {
  std::uint64_t dial;
  PeerId peer;
};
/// The session that resulted from a dial is not kept.
struct DialRefused {
  std::uint64_t dial;
  Error reason;
};
/// `peer` has a new session and is connected. No message has been sent in that session after our Hello.
struct PeerGreeted {
  PeerId peer;
};
/// The new session of a peer may carry messages of the exchanges from now on.
struct SessionReady {
  SessionId session;
};
/// A peer sent a message about other peers, or about what it is downloading.
struct ExchangeReceived {
  SessionId session;
  protocol::SessionMessage message;
};
/// A library update of the session's peer has been applied.
struct LibraryReceived {
  SessionId session;
};
struct ReportPeerEvent {
  api::PeerEvent event;
};
/// The games that connected peers offer have changed.
struct CatalogueChanged {};
/// A peer was added, was removed, or changed its state.
struct PeerStateChanged {};

using SessionAction =
    std::variant<SendMessage, CloseSession, DialAnswered, DialRefused, PeerGreeted, SessionReady, ExchangeReceived,
                 LibraryReceived, ReportPeerEvent, CatalogueChanged, PeerStateChanged>;

}  // namespace peer::sessions
