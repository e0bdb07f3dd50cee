// What a change of this machine's addresses means for the peers: whoever was unreachable may be reachable now, and a
// connection that seems to live may lead nowhere.
#include <vector>

#include "peer/peers.h"
#include "runtime/sleep.h"

namespace peer::node {

namespace {
/// A peer that lives answers a ping within a few round trips; QUIC repeats what is lost.
constexpr rt::Duration kProbeTime = std::chrono::milliseconds(1500);
}  // namespace

void Peers::network_changed(std::vector<std::string> addresses) {
  options_.addresses = std::move(addresses);
  for (const auto& target : targets_) target->kick.set();
  if (dialled_ != nullptr && !leaving_) dialled_->spawn("probe sessions", probe_sessions(dialled_->token()));
}

/// Sessions that do not answer are over; then their peers are dialled again.
rt::Task<void> Peers::probe_sessions(rt::CancellationToken token) {
  const rt::TimePoint asked = control_.executor().now();
  std::vector<SessionId> probed;
  for (auto& [id, session] : sessions_) {
    if (!session.greeted || session.closed) continue;
    ping(session);
    probed.push_back(id);
  }
  co_await rt::sleep_for(control_.executor(), kProbeTime, token);
  for (const SessionId id : probed) {
    const auto session = sessions_.find(id);
    if (session == sessions_.end() || session->second.closed) continue;
    PeerEntry* entry = table_.find(session->second.peer);
    if (entry == nullptr || entry->session != id || entry->last_seen >= asked) continue;
    log_.info(entry->name + " does not answer after a change of the network: it is dialled again");
    close(id);
    lose(*entry, PeerEvent::Kind::lost);
  }
}

}  // namespace peer::node
