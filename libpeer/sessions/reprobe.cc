#include "libpeer/sessions/reprobe.h"

#include <algorithm>
#include <map>

#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
/// A live peer answers a ping within a few round trips; QUIC repeats what is lost.
constexpr runtime::Duration kProbeTime = 1s;
/// Time for each address. On a local network a handshake takes milliseconds.
constexpr runtime::Duration kDialTime = 700ms;
}  // namespace

Reprobe::Reprobe(runtime::Executor& executor, const SessionProtocol& sessions, const PeerTable& table,
                 const DialTargets& targets, Dialer& dialer, std::function<void(const PeerId&)> refresh_addresses,
                 Log log)
    : executor_(executor),
      sessions_(sessions),
      table_(table),
      targets_(targets),
      dialer_(dialer),
      refresh_addresses_(std::move(refresh_addresses)),
      log_(std::move(log)) {}

void Reprobe::on_network_changed(Probe probe) {
  ++network_changes_;
  runtime::Scope* const scope = dialer_.scope();
  if (scope == nullptr || sessions_.leaving()) return;
  scope->spawn("probe sessions", probe_sessions(std::move(probe), scope->token()));
}

runtime::Task<void> Reprobe::probe_sessions(Probe probe, runtime::CancellationToken token) {
  const runtime::TimePoint asked = executor_.now();
  const std::vector<std::pair<PeerId, SessionId>> probed = probe();
  co_await runtime::sleep_for(executor_, kProbeTime, token);
  for (const auto& [peer, session] : probed) {
    runtime::Scope* const scope = dialer_.scope();
    if (scope == nullptr || !is_silent(peer, session, asked) || !redialed_.insert(peer).second) continue;
    scope->spawn("find again " + peer.brief(), redial(peer, session, asked, scope->token()));
  }
}

/// `session` is still the peer's session, and it has received nothing since `since`.
bool Reprobe::is_silent(const PeerId& peer, SessionId session, runtime::TimePoint since) const {
  const PeerEntry* const entry = table_.find(peer);
  return entry != nullptr && entry->session == session && entry->last_seen < since;
}

/// The addresses that mDNS finds now come first.
std::vector<net::SocketAddress> Reprobe::addresses_of(const PeerEntry& entry) const {
  std::vector<net::SocketAddress> addresses;
  for (const auto& target : targets_.all()) {
    if (target->id == entry.id && !target->gone) addresses = target->addresses;
  }
  for (const net::SocketAddress& address : entry.addresses) {
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

runtime::Task<void> Reprobe::redial(PeerId peer, SessionId session, runtime::TimePoint since,
                                    runtime::CancellationToken token) {
  const runtime::Defer over([&] { redialed_.erase(peer); });
  const PeerEntry* const silent = table_.find(peer);
  if (silent == nullptr) co_return;  // a Goodbye came since the check
  log_.peer(peer.hex()).info("no answer from " + silent->name + " after a network change: dialing it again");
  struct RedialAttempt {
    std::uint64_t network = 0;
    std::shared_ptr<Dial> dial;
  };
  std::map<net::SocketAddress, RedialAttempt> attempts;
  while (is_silent(peer, session, since) && !sessions_.leaving()) {
    const PeerEntry& entry = *table_.find(peer);
    const std::string found_by = entry.found_by.empty() ? "inbound" : *entry.found_by.begin();
    if (refresh_addresses_) refresh_addresses_(peer);
    const std::vector<net::SocketAddress> addresses = addresses_of(entry);
    const runtime::TimePoint began = executor_.now();
    for (const net::SocketAddress& address : addresses) {
      if (!is_silent(peer, session, since)) co_return;
      RedialAttempt& last = attempts[address];
      // One dial at a time for each address. After another network change, the dial under way would resend its packets
      // too late, so a new one is started.
      if (last.dial && !last.dial->over.is_set() && last.network == network_changes_) continue;
      const std::shared_ptr<Dial> dial = dialer_.dial(address, peer, found_by);
      last = {network_changes_, dial};
      co_await dial->settled.wait_for(executor_, kDialTime, token);
    }
    // Without a route no packet is sent, and each dial fails at once.
    const runtime::Duration took = executor_.now() - began;
    co_await runtime::sleep_for(executor_, std::max<runtime::Duration>(kDialTime - took, 50ms), token);
  }
}

}  // namespace peer::sessions
