// The service Discovery, as far as it dials: peers that were named are dialled for ever, with back-off; those that mDNS
// names for as long as it does.
#include <algorithm>
#include <utility>

#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/with_scope.h"
#include "libpeer/sessions/peers.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kLongestDelay = 30s;
/// A session that lasted longer was a success: the back-off begins anew.
constexpr runtime::Duration kSettled = 5s;
/// One that refused is not asked again soon.
constexpr runtime::Duration kRefusedDelay = 5min;
/// A key that is not the party's is most often a mistake, and mended soon.
constexpr runtime::Duration kPartyDelay = 1min;
/// One that is paired here may be about to be paired there.
constexpr runtime::Duration kPairedDelay = 4s;
/// Two that see each other at the same time: the higher id leaves the dialling to the lower for so long.
constexpr runtime::Duration kYield = 2s;
}  // namespace

void Peers::set_found(const PeerId& id, const std::string& name, std::vector<net::SocketAddress> addresses) {
  if (id == options_.self) return;
  const auto found =
      std::ranges::find_if(targets_, [&](const auto& each) { return each->found_by == "mdns" && each->id == id; });
  Target* target = found == targets_.end() ? nullptr : found->get();
  if (addresses.empty()) {
    if (target == nullptr) return;
    target->gone = true;
    target->kick.set();
    wake_waiters();
    return;
  }
  if (target == nullptr) {
    targets_.push_back(std::make_shared<Target>());
    target = targets_.back().get();
    target->found_by = "mdns";
    target->id = id;
  }
  target->address = name;
  const bool moved = std::exchange(target->addresses, std::move(addresses)) != target->addresses;
  target->gone = false;
  if (std::exchange(target->ended, false)) target->started = false;
  if (moved) target->kick.set();
  if (PeerEntry* entry = table_.find(id); entry != nullptr && entry->state == api::PeerState::connected) {
    entry->found_by.insert("mdns");
    add_addresses(*entry, target->addresses);
  }
  targets_changed_.set();
}

runtime::Task<void> Peers::run_static(runtime::CancellationToken token) {
  const auto keep = [this](runtime::Scope& scope) { return keep_targets(scope); };
  co_await runtime::with_scope(control_, "Discovery", keep, token);
}

runtime::Task<void> Peers::keep_targets(runtime::Scope& scope) {
  for (const auto& target : targets_) target->started = false;
  scope.spawn("hints", run_hints(scope));
  for (;;) {
    targets_changed_.reset();
    start_targets(scope);
    co_await targets_changed_.wait(scope.token());
  }
}

void Peers::start_targets(runtime::Scope& scope) {
  std::erase_if(targets_, [](const auto& each) { return each->gone && (each->ended || !each->started); });
  if (dialled_ == nullptr) return;  // the inbox sets targets_changed_ when it runs
  for (const auto& target : targets_) {
    if (!std::exchange(target->started, true)) {
      scope.spawn("dial " + target->address, keep(*target, scope.token()));
    }
  }
}

runtime::Task<void> Peers::keep(Target& target, runtime::CancellationToken token) {
  do {
    co_await keep_connected(target, token);
  } while (!target.gone);  // it may be named again just now
  target.ended = true;
  targets_changed_.set();
}

/// Until nobody names it any more.
runtime::Task<void> Peers::keep_connected(Target& target, runtime::CancellationToken token) {
  target.delay = kFirstDelay;
  target.kick.reset();
  if (target.id && *target.id < options_.self && !connected(target)) co_await wait_retry(target, kYield, token);
  // What an earlier run of the service began may be under way still.
  if (const std::shared_ptr<Dial> dial = target.dial; dial && !connected(target)) co_await dial->settled.wait(token);
  while (!target.gone) {
    if (connected(target)) {
      target.state = api::PeerState::connected;
      target.delay = kFirstDelay;
      co_await changed_.wait(token);
      continue;
    }
    target.state = api::PeerState::connecting;
    target.kick.reset();
    const Error error = co_await dial_once(target, token);
    if (connected(target)) continue;  // this session was a second one
    const bool refused = error.code == ErrorCode::refused;
    target.state = refused ? api::PeerState::refused : api::PeerState::unreachable;
    target.error = error.message;
    wake_waiters();
    if (target.found_by == "mdns" && !refused && options_.look_again) options_.look_again(*target.id);
    log_.debug(target.address + ": " + error.message);
    const runtime::Duration pause = retry_after(target, refused, target.delay);
    const auto spread =
        static_cast<std::int64_t>(options_.random->below(static_cast<std::uint64_t>(pause.count() / 4 + 1)));
    co_await wait_retry(target, pause + runtime::Duration(spread), token);
    target.delay = std::min(target.delay * 2, kLongestDelay);
  }
}

/// And not only somebody else at an address that is out of date.
bool Peers::refused_by_peer(const Target& target) const {
  const PeerEntry* entry = target.id ? table_.find(*target.id) : nullptr;
  return target.found_by == "static" || (entry != nullptr && entry->state == api::PeerState::refused);
}

runtime::Duration Peers::retry_after(const Target& target, bool refused, runtime::Duration delay) const {
  if (!refused) return delay;
  const bool hopeful = options_.access == access::AccessMode::paired && target.id && paired_.contains(*target.id);
  if (hopeful) return kPairedDelay;
  const bool unpaired = target.id && !admits(*target.id);  // then it was not even dialled
  if (!unpaired && !refused_by_peer(target)) return delay;
  return options_.access == access::AccessMode::party ? kPartyDelay : kRefusedDelay;
}

/// Until the time for the next attempt, or somebody asks for it, or has asked during the last one.
runtime::Task<void> Peers::wait_retry(Target& target, runtime::Duration delay, runtime::CancellationToken token) {
  runtime::Deadline deadline(control_.executor(), delay, token);
  try {
    co_await target.kick.wait(deadline.token());
  } catch (const runtime::Cancelled&) {
    if (token.requested()) throw;
  }
}

/// Resolves, dials each address and stays for as long as the session lasts.
runtime::Task<Error> Peers::dial_once(Target& target, runtime::CancellationToken token) {
  Error last{ErrorCode::unreachable, target.address + " has no address", 0};
  std::vector<net::SocketAddress> addresses = target.addresses;
  std::optional<PeerId> expected = target.id;
  if (target.found_by == "static") {
    const Result<net::HostPort> where = net::parse_host_port(target.address);
    if (!where) co_return where.error();
    const auto resolved = co_await options_.resolver->resolve(where->host, where->port, token);
    if (!resolved) co_return resolved.error();
    addresses = target.resolved = *resolved;
    expected.reset();  // whoever is there now
  }
  const bool stranger = expected && table_.find(*expected) == nullptr;
  for (const net::SocketAddress& address : addresses) {
    if (target.gone) break;
    if (stranger) co_await wait_contact(token);
    // Kept in the target: a later run of the service finds the session that this one began.
    const std::shared_ptr<Dial> dial = begin_dial(address, expected, target.found_by, stranger);
    target.dial = dial;
    co_await dial->over.wait(token);
    target.dial.reset();
    last = dial->verdict.value_or(dial->reason);
    if (dial->greeted && !dial->verdict) {
      target.kick.reset();  // what was asked for during the session has nothing to do with its end
      if (control_.executor().now() - dial->met > kSettled) target.delay = kFirstDelay;
    }
    if (dial->greeted) break;  // the other addresses lead to the same peer
  }
  co_return last;
}

}  // namespace peer::sessions
