// LibrarySync: exchanges libraries with other peers in as few messages as possible. Pure: a part of SessionProtocol.
// Loop: control.
#pragma once

#include <vector>

#include "libpeer/sessions/library_log.h"
#include "libpeer/sessions/session_registry.h"

namespace peer::sessions {

class LibrarySync {
 public:
  LibrarySync(SessionRegistry& registry, PeerTable& table, Log log)
      : registry_(registry), table_(table), log_(std::move(log)) {}

  const LibraryLog& own() const noexcept { return own_; }
  /// Sets the games that this peer offers. Sends the changes in every session whose Hello was accepted. False if
  /// nothing changed.
  bool set_own(const std::vector<protocol::GameSummary>& games);

  /// Both sides have sent Hello: requests the peer's library unless it is known, and sends what has changed in this
  /// peer's library since our Hello.
  void begin(SessionId id, Session& session, PeerEntry& entry, const protocol::Hello& hello, bool restarted,
             runtime::TimePoint now);
  void on_request(SessionId id, Session& session, const protocol::LibraryRequest& request, runtime::TimePoint now);
  void on_update(SessionId id, Session& session, PeerEntry& entry, const protocol::LibraryUpdate& update,
                 runtime::TimePoint now);
  /// Checks the digests of libraries that on_update() has not checked.
  void verify(runtime::TimePoint now);

  const DigestBudget& digests() const noexcept { return digests_; }

 private:
  void send_updates(SessionId id, Session& session, std::uint64_t since);

  SessionRegistry& registry_;
  PeerTable& table_;
  Log log_;
  LibraryLog own_;
  DigestBudget digests_;
};

}  // namespace peer::sessions
