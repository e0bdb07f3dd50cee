// HoldingsExchange: peers that download the same version tell each other which chunks they have, so that they fetch
// from each other and not all from one seeder.
//
// A peer that begins a download announces it in every session. Peers that download the same version then send each
// other all their holdings, and later the additions, at most twice a second. They send holdings to no other peer.
// Loop: control.
// Limits: a session's messages beyond 64 at once and 8 per second are ignored.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/runtime/token_bucket.h"
#include "libpeer/sessions/session_links.h"
#include "libpeer/sessions/session_protocol.h"

namespace peer::sessions {

class HoldingsExchange final : public transfer::HoldingsSink {
 public:
  /// Calls `on_sources_changed` when another peer's holdings of a version that is downloaded here have changed.
  HoldingsExchange(runtime::Executor& executor, const SessionProtocol& sessions, SessionLinks& links, PeerTable& table,
                   std::function<void()> on_sources_changed);

  void holdings_begin(const std::string& game, const Digest& version, const std::vector<bool>& have) override;
  void holdings_grow(const std::string& game, std::uint64_t first, std::uint64_t count) override;
  void holdings_end(const std::string& game) override;
  /// Call after `games` were announced: other peers then drop the holdings of a game that is now offered.
  void on_offered(const std::vector<protocol::GameSummary>& games);

  /// Sends additions to the holdings until cancelled.
  runtime::Task<void> run(runtime::CancellationToken token);

  /// Call it for a new session: sends its peer the list of downloads here.
  void on_ready(SessionId id);
  void on_holdings(SessionId id, const Session& session, const protocol::Holdings& holdings);
  void on_holdings_end(SessionId id, const Session& session, const protocol::HoldingsEnd& end);
  /// The peer's library has changed. Removes the holdings of versions that it now offers completely.
  void on_library(SessionId id, const Session& session);
  void on_closed(SessionId id);

 private:
  /// What this peer has of a version that it is downloading.
  struct OwnHolding {
    Digest version;
    std::vector<bool> have;
    std::vector<protocol::HeldRun> news;      ///< not sent yet
    std::optional<runtime::TimePoint> ended;  ///< when the download ended
    std::set<SessionId> followers;            ///< sessions whose peers download the same version
  };

  void send_runs(SessionId id, const std::string& game, const OwnHolding& own,
                 const std::vector<protocol::HeldRun>& runs);
  void send_news();
  void end_own(const std::string& game, bool tell);
  void unfollow(SessionId id, const std::string& game);

  runtime::Executor& executor_;
  const SessionProtocol& sessions_;
  SessionLinks& links_;
  PeerTable& table_;
  std::function<void()> on_sources_changed_;
  std::map<std::string, OwnHolding> own_;  ///< by game
  std::map<SessionId, runtime::TokenBucket> budgets_;
  std::uint64_t revision_ = 0;
  runtime::Event changed_;
};

}  // namespace peer::sessions
