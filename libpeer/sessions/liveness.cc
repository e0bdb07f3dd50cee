// The service Liveness: pings the idle, drops the silent, forgets the long gone.
#include <algorithm>
#include <vector>

#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
runtime::Duration tick_of(const PeersOptions& options) {
  return std::max<runtime::Duration>(std::min(options.ping, options.lost) / 5, 50ms);
}
}  // namespace

runtime::Task<void> Peers::run_liveness(runtime::CancellationToken token) {
  for (;;) {
    co_await runtime::sleep_for(control_.executor(), tick_of(options_), token);
    check_liveness();
  }
}

/// How long a peer may be idle before it is pinged. Both have heard each other last at the same time: were both to ping
/// then, one of the pings would be for nothing. Once it has measured the round trip, the higher id leaves it to the
/// other.
runtime::Duration Peers::ping_after(const PeerEntry& entry) const {
  const bool leaves_it = entry.rtt_ms.has_value() && options_.self > entry.id;
  return leaves_it ? options_.ping + 2 * tick_of(options_) : options_.ping;
}

void Peers::ping(Session& session) {
  session.ping_sent = control_.executor().now();
  session.ping_nonce = options_.random->below(UINT64_MAX);
  send(session, protocol::Ping{session.ping_nonce});
}

void Peers::check_liveness() {
  const runtime::TimePoint now = control_.executor().now();
  for (const auto& [id, session] : sessions_) {
    if (!session.greeted && !session.closed && now - session.opened >= options_.lost) close(id);  // no Hello
  }
  std::vector<PeerId> silent;
  std::vector<PeerId> forgotten;
  for (auto& [id, entry] : table_.all()) {
    const bool late = now - entry.last_seen >= options_.lost;
    if (!entry.session) {
      if (entry.state == api::PeerState::connected && late) silent.push_back(id);  // its other session said nothing
      const bool is_static = std::ranges::any_of(targets_, [&](const auto& each) { return each->id == id; });
      if (!is_static && now - entry.last_seen > kForgetAfter) forgotten.push_back(id);
      continue;
    }
    const auto found = sessions_.find(*entry.session);
    if (found == sessions_.end() || late) {
      silent.push_back(id);
      continue;
    }
    Session& session = found->second;
    const bool idle = now - entry.last_seen >= ping_after(entry);
    const bool waiting = session.ping_sent != runtime::TimePoint{} && now - session.ping_sent < options_.ping;
    if (idle && !waiting) ping(session);
  }
  for (const PeerId& id : silent) {
    PeerEntry& entry = *table_.find(id);
    if (entry.session) close(*entry.session);
    lose(entry, api::PeerEvent::Kind::lost);
  }
  for (const PeerId& id : forgotten) table_.erase(id);
}

}  // namespace peer::sessions
