// What a change of this machine's addresses means for the peers: whoever was unreachable may be reachable now, and a
// connection that seems to live may lead nowhere.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
/// A peer that lives answers a ping within a few round trips; QUIC repeats what is lost.
constexpr runtime::Duration kProbeTime = 1s;
/// For an address to be dialled; on a local network a handshake takes milliseconds.
constexpr runtime::Duration kDialTime = 700ms;
}  // namespace

void Peers::network_changed(std::vector<std::string> addresses) {
  options_.addresses = std::move(addresses);
  ++network_changes_;
  for (const auto& target : targets_) target->kick.set();
  if (dialled_ != nullptr && !leaving_) dialled_->spawn("probe sessions", probe_sessions(dialled_->token()));
}

/// Peers that do not answer are dialled anew. They count as connected meanwhile, up to the limit of liveness: if a new
/// session takes the old one's place in time, nobody is lost.
runtime::Task<void> Peers::probe_sessions(runtime::CancellationToken token) {
  const runtime::TimePoint asked = control_.executor().now();
  std::vector<std::pair<PeerId, SessionId>> probed;
  for (auto& [id, session] : sessions_) {
    if (!session.greeted || session.closed) continue;
    ping(session);
    probed.emplace_back(session.peer, id);
  }
  co_await runtime::sleep_for(control_.executor(), kProbeTime, token);
  for (const auto& [peer, session] : probed) {
    if (dialled_ == nullptr || !is_silent(peer, session, asked) || !sought_.insert(peer).second) continue;
    dialled_->spawn("find again " + peer.brief(), find_again(peer, session, asked, dialled_->token()));
  }
}

bool Peers::is_silent(const PeerId& peer, SessionId session, runtime::TimePoint since) const {
  const PeerEntry* entry = table_.find(peer);
  return entry != nullptr && entry->session == session && entry->last_seen < since;
}

runtime::Task<void> Peers::find_again(PeerId peer, SessionId session, runtime::TimePoint since,
                                      runtime::CancellationToken token) {
  struct Over {
    std::set<PeerId>& sought;
    PeerId id;
    ~Over() { sought.erase(id); }
  };
  const Over over{sought_, peer};
  log_.peer(peer.hex())
      .info(table_.find(peer)->name + " does not answer after a change of the network: it is dialled anew");
  struct Attempt {
    std::uint64_t network = 0;
    std::shared_ptr<Dial> dial;
  };
  std::map<net::SocketAddress, Attempt> attempts;
  while (is_silent(peer, session, since) && !leaving_) {
    const PeerEntry& entry = *table_.find(peer);
    const std::string found_by = entry.found_by.empty() ? "inbound" : *entry.found_by.begin();
    if (options_.look_again) options_.look_again(peer);
    std::vector<net::SocketAddress> addresses;
    for (const auto& target : targets_) {
      if (target->id == peer && !target->gone) addresses = target->addresses;  // what mDNS says now goes first
    }
    for (const net::SocketAddress& address : entry.addresses) {
      if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
    }
    const runtime::TimePoint began = control_.executor().now();
    for (const net::SocketAddress& address : addresses) {
      if (!is_silent(peer, session, since)) co_return;
      Attempt& last = attempts[address];
      // One at a time, unless the network has changed again: then the one under way repeats itself too late.
      if (last.dial && !last.dial->over.is_set() && last.network == network_changes_) continue;
      const std::shared_ptr<Dial> dial = begin_dial(address, peer, found_by, false);
      last = {network_changes_, dial};
      co_await dial->settled.wait_for(control_.executor(), kDialTime, token);
    }
    // Without a way nothing is sent and each attempt fails at once.
    const runtime::Duration took = control_.executor().now() - began;
    co_await runtime::sleep_for(control_.executor(), std::max<runtime::Duration>(kDialTime - took, 50ms), token);
  }
}

}  // namespace peer::sessions
