#include "libpeer/sessions/peer_exchange.h"

#include <utility>

#include "libpeer/protocol/limits.h"
#include "libpeer/runtime/defer.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/sessions/dial_rules.h"
#include "libpeer/sessions/target_dialer.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kShareDebounce = 250ms;

bool is_link_local(const net::SocketAddress& address) {
  const std::string host = address.host_string();
  return host.starts_with("fe80:") || host.starts_with("169.254.");
}

/// Whether an address means the same host to both peers. Loopback and link-local addresses do not. An address outside
/// the local network never counts, so that no peer makes this one send packets into the internet.
bool is_shareable(const net::SocketAddress& address, const net::SocketAddress& other_side) {
  if (address.is_unspecified() || address.port() == 0 || !address.is_local() || is_link_local(address)) return false;
  return !address.is_loopback() || other_side.is_loopback();
}

std::vector<net::SocketAddress> shareable(const std::vector<net::SocketAddress>& addresses,
                                          const net::SocketAddress& other_side) {
  std::vector<net::SocketAddress> some;
  for (const net::SocketAddress& address : addresses) {
    if (some.size() < protocol::kMaxHintAddresses && is_shareable(address, other_side)) some.push_back(address);
  }
  return some;
}

/// Returns nothing if the other side could not reach the peer at any address.
std::optional<protocol::PeerHint> hint_about(const PeerEntry& entry, const net::SocketAddress& other_side) {
  protocol::PeerHint hint;
  hint.id = entry.id;
  hint.name = entry.name;
  for (const net::SocketAddress& address : shareable(entry.addresses, other_side))
    hint.addresses.push_back(address.to_string());
  if (hint.addresses.empty()) return std::nullopt;
  return hint;
}
}  // namespace

PeerExchange::PeerExchange(runtime::Executor& executor, const SessionProtocol& sessions, SessionLinks& links,
                           const PeerTable& table, const AccessLists& access, Dialer& dialer, Log log)
    : executor_(executor),
      sessions_(sessions),
      links_(links),
      table_(table),
      access_(access),
      dialer_(dialer),
      log_(std::move(log)) {}

void PeerExchange::share() {
  // In paired mode, a peer that is paired here may be unknown to the others.
  if (access_.paired_mode()) return;
  for (const auto& [id, session] : sessions_.all()) {
    const PeerEntry* const to = table_.find(session.peer);
    if (session.usable() && to != nullptr && to->session == id) share_with(id, session, *to);
  }
}

/// Sends the peers that neither side has named in this session. Two peers that mDNS finds here find each other through
/// mDNS as well.
void PeerExchange::share_with(SessionId id, const Session& session, const PeerEntry& to) {
  NamedPeers& named = exchanged_[id];
  protocol::PeerHints message;
  for (const auto& [other, entry] : table_.all()) {
    if (named.sent.size() >= protocol::kMaxHintsPerSession) break;
    if (entry.state != api::PeerState::connected || other == session.peer) continue;
    if (named.sent.contains(other) || named.received.contains(other)) continue;
    if (to.found_by.contains("mdns") && entry.found_by.contains("mdns")) continue;
    auto hint = hint_about(entry, session.remote);
    if (!hint) continue;
    named.sent.insert(other);
    message.peers.push_back(std::move(*hint));
    if (message.peers.size() == protocol::kMaxHintsPerMessage) links_.send(id, std::exchange(message, {}));
  }
  if (!message.peers.empty()) links_.send(id, std::move(message));
}

runtime::Task<void> PeerExchange::run_sharing(runtime::CancellationToken token) {
  for (;;) {
    co_await peers_changed_.wait(token);
    co_await runtime::sleep_for(executor_, kShareDebounce, token);
    peers_changed_.reset();
    if (!sessions_.leaving()) share();
  }
}

/// A hint about this peer would not lead to a new connection.
bool PeerExchange::is_settled(const PeerId& peer) const {
  const PeerEntry* const known = table_.find(peer);
  return known != nullptr && (known->state == api::PeerState::connected || known->state == api::PeerState::refused ||
                              known->state == api::PeerState::banned);
}

void PeerExchange::on_hints(SessionId id, const Session& session, const protocol::PeerHints& hints) {
  NamedPeers& named = exchanged_[id];
  const net::SocketAddress account = account_of(session.remote);
  const std::shared_ptr<Hinter> hinter = hinter_of(account);
  for (const protocol::PeerHint& hint : hints.peers) {
    if (named.received.size() >= protocol::kMaxHintsPerSession) return;
    if (hint.id == access_.self() || hint.id == session.peer || !named.received.insert(hint.id).second) continue;
    if (!access_.admits(hint.id)) continue;
    if (is_settled(hint.id) || hinted_.contains(hint.id) || hinted_.size() >= kMaxHints) continue;
    std::vector<net::SocketAddress> addresses;
    for (const std::string& text : hint.addresses) {
      if (const auto address = net::SocketAddress::parse(text)) addresses.push_back(*address);
    }
    addresses = shareable(addresses, session.remote);
    std::erase_if(addresses, [&](const auto& address) { return !may_dial(address, session.remote, false); });
    if (addresses.empty() || !hinter->hints.try_consume(executor_.now(), kHintsBurst, kHintsPerSecond)) continue;
    if (!shares_.try_acquire(account, 1)) continue;
    hinted_.insert(hint.id);
    hints_.push_back({hint.id, std::move(addresses), account, hinter});
    hints_changed_.set();
  }
}

std::shared_ptr<PeerExchange::Hinter> PeerExchange::hinter_of(const net::SocketAddress& account) {
  if (hinters_.size() >= kMaxHinters && !hinters_.contains(account))
    std::erase_if(hinters_, [](const auto& each) { return each.second.use_count() == 1; });
  std::shared_ptr<Hinter>& hinter = hinters_[account];
  if (hinter == nullptr) hinter = std::make_shared<Hinter>();
  return hinter;
}

void PeerExchange::dial_once(const PeerEntry& entry) {
  if (entry.addresses.empty() || hinted_.size() >= kMaxHints || !hinted_.insert(entry.id).second) return;
  hints_.push_back({entry.id, entry.addresses});
  hints_changed_.set();
}

runtime::Task<void> PeerExchange::run_hints(runtime::Scope& scope) {
  for (;;) {
    while (!hints_.empty()) {
      PeerHintToDial hint = std::move(hints_.front());
      hints_.pop_front();
      std::string name = "try " + hint.id.brief();
      scope.spawn(std::move(name), dial_hint(std::move(hint), scope.token()));
    }
    hints_changed_.reset();
    co_await hints_changed_.wait(scope.token());
  }
}

runtime::Task<void> PeerExchange::dial_hint(PeerHintToDial hint, runtime::CancellationToken token) {
  const bool asked = hint.hinter == nullptr;
  const runtime::Defer over([&] {
    hinted_.erase(hint.id);
    if (!asked) shares_.release(hint.account, 1);
  });
  const std::string found_by = asked ? "inbound" : "exchange";
  runtime::SemaphoreUnits own;
  runtime::SemaphoreUnits all;
  if (!asked) {
    own = co_await hint.hinter->dials.acquire(1, token);
    all = co_await hint_dials_.acquire(1, token);
  }
  // Both peers get the hint at about the same time.
  if (hint.id < access_.self() && !asked) co_await runtime::sleep_for(executor_, kDialYield, token);
  for (const net::SocketAddress& address : hint.addresses) {
    if (table_.is_connected(hint.id)) co_return;
    runtime::SemaphoreUnits contact = co_await dialer_.wait_contact(token);
    const std::shared_ptr<Dial> dial = dialer_.dial(address, hint.id, found_by, std::move(contact));
    co_await dial->settled.wait(token);
    if (dial->answered) co_return;
    log_.peer(hint.id.hex())
        .debug("hint: no answer from " + hint.id.brief() + " at " + address.to_string() + ": " + dial->reason.message);
  }
}

}  // namespace peer::sessions
