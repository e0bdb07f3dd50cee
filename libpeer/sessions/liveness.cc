#include "libpeer/sessions/liveness.h"

#include <algorithm>

namespace peer::sessions {

using namespace std::chrono_literals;

runtime::Duration Liveness::interval() const {
  return std::max<runtime::Duration>(std::min(options_.ping, options_.lost) / 5, 50ms);
}

/// How long a peer may be idle before it is pinged. Both sides last received a message at the same time, so both would
/// ping at once. To avoid that, the peer with the higher id lets the other one ping, once it has measured the round
/// trip.
runtime::Duration Liveness::ping_after(const PeerEntry& entry) const {
  const bool leaves_it = entry.rtt_ms.has_value() && options_.self > entry.id;
  return leaves_it ? options_.ping + 2 * interval() : options_.ping;
}

void Liveness::ping(SessionId id, Session& session, runtime::TimePoint now) {
  registry_.send(id, session, session.start_ping(now, *options_.random));
}

std::vector<std::pair<PeerId, SessionId>> Liveness::probe(runtime::TimePoint now) {
  std::vector<std::pair<PeerId, SessionId>> probed;
  for (auto& [id, session] : registry_.all()) {
    if (!session.usable()) continue;
    ping(id, session, now);
    probed.emplace_back(session.peer, id);
  }
  return probed;
}

void Liveness::check(const std::function<bool(const PeerId&)>& is_kept, runtime::TimePoint now) {
  for (const auto& [id, session] : registry_.all()) {
    if (!session.greeted && !session.closed && now - session.opened >= options_.lost) registry_.close(id);
  }
  std::vector<PeerId> silent;
  std::vector<PeerId> forgotten;
  for (auto& [id, entry] : table_.all()) {
    const bool late = now - entry.last_seen >= options_.lost;
    if (!entry.session) {
      // Connected without a session: the peer has sent nothing in the session that should replace the old one.
      if (entry.state == api::PeerState::connected && late) silent.push_back(id);
      if (now - entry.last_seen > kForgetAfter && !is_kept(id)) forgotten.push_back(id);
      continue;
    }
    Session* const session = registry_.find(*entry.session);
    if (session == nullptr || late) {
      silent.push_back(id);
    } else if (now - entry.last_seen >= ping_after(entry) && !session->awaits_pong(now, options_.ping)) {
      ping(*entry.session, *session, now);
    }
  }
  for (const PeerId& id : silent) {
    PeerEntry& entry = *table_.find(id);
    if (entry.session) registry_.close(*entry.session);
    registry_.lose(entry, api::PeerEvent::Kind::lost);
  }
  for (const PeerId& id : forgotten) table_.erase(id);
}

}  // namespace peer::sessions
