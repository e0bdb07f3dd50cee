// Liveness: pings idle peers, drops silent ones and removes those that have been unreachable for long. Pure: a part of
// SessionProtocol.
// Loop: control.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/sessions/session_registry.h"

namespace peer::sessions {

struct LivenessOptions {
  PeerId self;
  runtime::Duration ping;  ///< how long a peer may be idle before it is pinged
  runtime::Duration lost;  ///< how long a peer may be silent before it is lost
  Random* random;
};

class Liveness {
 public:
  Liveness(LivenessOptions options, SessionRegistry& registry, PeerTable& table)
      : options_(options), registry_(registry), table_(table) {}

  /// How often check() should run.
  runtime::Duration interval() const;
  /// A peer for which `is_kept` is true is never removed.
  void check(const std::function<bool(const PeerId&)>& is_kept, runtime::TimePoint now);
  void ping(SessionId id, Session& session, runtime::TimePoint now);
  /// Pings every connected peer. Returns the peers, each with its session.
  std::vector<std::pair<PeerId, SessionId>> probe(runtime::TimePoint now);

 private:
  runtime::Duration ping_after(const PeerEntry& entry) const;

  LivenessOptions options_;
  SessionRegistry& registry_;
  PeerTable& table_;
};

}  // namespace peer::sessions
