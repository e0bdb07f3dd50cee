// Peer exchange: connected peers tell each other who else is there, so that one static peer bridges a routed subnet.
//
// What others tell are hints: bounded, tried once in the session that brought them, trusted only after the handshake.
#include <algorithm>
#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kShareDebounce = 250ms;
/// Both sides get the hint at about the same time: the higher id leaves the dialling to the lower for so long.
constexpr runtime::Duration kYield = 2s;
constexpr std::size_t kMaxHints = 1024;

bool is_link_local(const net::SocketAddress& address) {
  const std::string host = address.host_string();
  return host.starts_with("fe80:") || host.starts_with("169.254.");
}

/// Whether an address means the same to both: what is this machine's or this link's is nobody else's. And no peer makes
/// this one send packets into the internet.
bool is_tellable(const net::SocketAddress& address, const net::SocketAddress& other_side) {
  if (address.is_unspecified() || address.port() == 0 || !address.is_local() || is_link_local(address)) return false;
  return !address.is_loopback() || other_side.is_loopback();
}

std::vector<net::SocketAddress> tellable(const std::vector<net::SocketAddress>& addresses,
                                         const net::SocketAddress& other_side) {
  std::vector<net::SocketAddress> some;
  for (const net::SocketAddress& address : addresses) {
    if (some.size() < protocol::kMaxHintAddresses && is_tellable(address, other_side)) some.push_back(address);
  }
  return some;
}
}  // namespace

std::optional<protocol::PeerHint> Peers::hint_about(const PeerEntry& entry, const Session& to) {
  protocol::PeerHint hint;
  hint.id = entry.id;
  hint.name = entry.name;
  for (const net::SocketAddress& address : tellable(entry.addresses, to.remote))
    hint.addresses.push_back(address.to_string());
  if (hint.addresses.empty()) return std::nullopt;
  return hint;
}

/// Each is told of those it was not told of and did not tell of itself. Two whom mDNS shows here see each other there.
void Peers::share_peers() {
  // Whom this peer has paired is a stranger to the others that it has paired.
  if (options_.access == access::AccessMode::paired) return;
  for (auto& [id, session] : sessions_) {
    const PeerEntry* to = table_.find(session.peer);
    if (!session.greeted || session.closed || to == nullptr || to->session != id) continue;
    protocol::PeerHints message;
    for (const auto& [other, entry] : table_.all()) {
      if (session.named_to.size() >= protocol::kMaxHintsPerSession) break;
      if (entry.state != api::PeerState::connected || other == session.peer) continue;
      if (session.named_to.contains(other) || session.named_by.contains(other)) continue;
      if (to->found_by.contains("mdns") && entry.found_by.contains("mdns")) continue;
      auto hint = hint_about(entry, session);
      if (!hint) continue;
      session.named_to.insert(other);
      message.peers.push_back(std::move(*hint));
      if (message.peers.size() == protocol::kMaxHintsPerMessage) send(session, std::exchange(message, {}));
    }
    if (!message.peers.empty()) send(session, std::move(message));
  }
}

runtime::Task<void> Peers::share_when_changed(runtime::CancellationToken token) {
  for (;;) {
    co_await peers_changed_.wait(token);
    co_await runtime::sleep_for(control_.executor(), kShareDebounce, token);
    peers_changed_.reset();
    if (!leaving_) share_peers();
  }
}

void Peers::on_hints(Session& session, const protocol::PeerHints& hints) {
  for (const protocol::PeerHint& told : hints.peers) {
    if (session.named_by.size() >= protocol::kMaxHintsPerSession) return;
    if (told.id == options_.self || told.id == session.peer || !session.named_by.insert(told.id).second) continue;
    if (!admits(told.id)) continue;
    const PeerEntry* known = table_.find(told.id);
    const bool settled =
        known != nullptr && (known->state == api::PeerState::connected || known->state == api::PeerState::refused ||
                             known->state == api::PeerState::banned);
    if (settled || hinted_.contains(told.id) || hinted_.size() >= kMaxHints) continue;
    std::vector<net::SocketAddress> addresses;
    for (const std::string& text : told.addresses) {
      if (const auto address = net::SocketAddress::parse(text)) addresses.push_back(*address);
    }
    addresses = tellable(addresses, session.remote);
    if (addresses.empty()) continue;
    hinted_.insert(told.id);
    hints_.push_back({told.id, std::move(addresses), false});
    hints_changed_.set();
  }
}

/// Once, at the addresses that it told when it was connected last: one that was refused comes back by itself only after
/// minutes.
void Peers::dial_again(const PeerEntry& entry) {
  if (entry.addresses.empty() || hinted_.size() >= kMaxHints || !hinted_.insert(entry.id).second) return;
  hints_.push_back({entry.id, entry.addresses, true});
  hints_changed_.set();
}

runtime::Task<void> Peers::run_hints(runtime::Scope& scope) {
  const runtime::CancellationToken token = scope.token();
  for (;;) {
    while (!hints_.empty()) {
      Hint hint = std::move(hints_.front());
      hints_.pop_front();
      std::string name = "try " + hint.id.brief();
      scope.spawn(std::move(name), try_hint(std::move(hint), token));
    }
    hints_changed_.reset();
    co_await hints_changed_.wait(token);
  }
}

runtime::Task<void> Peers::try_hint(Hint hint, runtime::CancellationToken token) {
  struct Over {
    std::set<PeerId>& hinted;
    PeerId id;
    ~Over() { hinted.erase(id); }
  };
  const Over over{hinted_, hint.id};
  const std::string found_by = hint.asked ? "inbound" : "exchange";
  if (hint.id < options_.self && !hint.asked) co_await runtime::sleep_for(control_.executor(), kYield, token);
  for (const net::SocketAddress& address : hint.addresses) {
    if (is_connected(hint.id)) co_return;
    co_await wait_contact(token);
    const auto dial = begin_dial(address, hint.id, found_by, true);
    co_await dial->settled.wait(token);
    if (dial->greeted) co_return;
    log_.peer(hint.id.hex())
        .debug("a peer named " + hint.id.brief() + " at " + address.to_string() + ": " + dial->reason.message);
  }
}

}  // namespace peer::sessions
