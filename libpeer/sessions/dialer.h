// Dialer: dials peers and runs the sessions that result.
//
// Dials run in the inbox's scope and not in Discovery's: when Discovery fails and starts again, no peer is lost.
// Loop: control; the sessions themselves run on the net loop.
// Limits: kMaxContacts dials to peers that are not in the peer table, at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "libpeer/base/log.h"
#include "libpeer/runtime/event.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/semaphore.h"
#include "libpeer/sessions/access_lists.h"
#include "libpeer/sessions/session_protocol.h"
#include "libpeer/sessions/session_stream.h"

namespace peer::sessions {

/// Maximum number of simultaneous handshakes caused by forged records.
inline constexpr std::size_t kMaxContacts = 16;

/// One attempt to reach a peer, and the session that results. It may outlive the task that began it.
struct Dial {
  std::uint64_t number = 0;
  std::string found_by;
  runtime::SemaphoreUnits contact;  ///< of a peer that is not in the peer table, until it has a session
  bool dropped = false;             ///< the peer is no longer to be dialed: a session that results is closed
  bool answered = false;            ///< a peer answered
  runtime::TimePoint answered_at{};
  std::optional<Error> verdict;  ///< why the session is not kept
  Error reason{ErrorCode::unreachable, "the daemon is stopping", 0};
  runtime::Event settled;  ///< answered, or over
  runtime::Event over;

  /// Why the dial did not lead to a session that is kept, or why that session has ended.
  const Error& outcome() const { return verdict ? *verdict : reason; }
};

struct DialerOptions {
  net::Transport* transport = nullptr;
  /// A peer answered, but one side does not admit the other.
  std::function<void(const PeerDenial&)> on_denied;
  Log log;
  DialerOptions() = default;
};

class Dialer {
 public:
  Dialer(runtime::Scope& net, SessionContext context, const AccessLists& access, DialerOptions options);

  const SessionContext& context() const noexcept { return context_; }

  /// Dials run in `scope` until stop().
  void start(runtime::Scope& scope) { scope_ = &scope; }
  void stop() { scope_ = nullptr; }
  /// The scope that dials run in; null while the dialer is stopped.
  runtime::Scope* scope() const noexcept { return scope_; }
  /// New dials fail at once from now on. Sessions continue.
  void refuse_dials() { leaving_ = true; }

  /// Starts a dial. A banned or unpaired peer is refused without one. `contact`: from wait_contact(), for a peer that
  /// is not in the peer table.
  std::shared_ptr<Dial> dial(const net::SocketAddress& address, std::optional<PeerId> expected,
                             const std::string& found_by, runtime::SemaphoreUnits contact = {});
  /// Waits until a peer that is not in the peer table may be dialed.
  runtime::Task<runtime::SemaphoreUnits> wait_contact(runtime::CancellationToken token) {
    return contacts_.acquire(1, std::move(token));
  }

  /// Null if the dial is over.
  Dial* find(std::uint64_t number) const;
  /// The dial has led to a session.
  void on_opened(std::uint64_t number);
  void on_answered(std::uint64_t number, runtime::TimePoint now);
  /// The session of this dial is not kept. Only the first reason counts.
  void on_refused(std::uint64_t number, const Error& reason);

 private:
  std::optional<Error> reason_to_refuse(const std::optional<PeerId>& expected) const;
  runtime::Task<void> hold_session(net::SocketAddress address, std::optional<PeerId> expected,
                                   std::shared_ptr<Dial> dial, runtime::CancellationToken token);

  runtime::Scope& net_;
  SessionContext context_;
  const AccessLists& access_;
  DialerOptions options_;
  runtime::Scope* scope_ = nullptr;
  bool leaving_ = false;
  std::map<std::uint64_t, std::shared_ptr<Dial>> dials_;  ///< by number, from 1
  std::uint64_t next_number_ = 1;
  runtime::Semaphore contacts_{kMaxContacts};
};

}  // namespace peer::sessions
