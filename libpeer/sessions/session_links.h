// SessionLinks: the outgoing channels of the sessions, which lead to their streams on the net loop.
// Loop: control.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "libpeer/runtime/event.h"
#include "libpeer/sessions/session_stream.h"

namespace peer::sessions {

class SessionLinks {
 public:
  using Sender = runtime::Channel<protocol::SessionMessage>::Sender;

  /// Calls `on_stalled` when a session is closed because too many messages wait: the peer does not read.
  explicit SessionLinks(std::function<void(SessionId)> on_stalled) : on_stalled_(std::move(on_stalled)) {}

  void add(SessionId id, Sender out);
  void remove(SessionId id);
  void send(SessionId id, protocol::SessionMessage message);
  /// Sends even if too many messages are already waiting.
  void send_urgent(SessionId id, protocol::SessionMessage message);
  /// Messages that were queued before are still sent.
  void close(SessionId id);
  /// Waits until every session has ended.
  runtime::Task<void> wait_empty(runtime::CancellationToken token);

 private:
  std::function<void(SessionId)> on_stalled_;
  std::map<SessionId, Sender> links_;
  runtime::Event empty_;
};

}  // namespace peer::sessions
