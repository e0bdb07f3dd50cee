#include "libpeer/sessions/target_dialer.h"

#include <algorithm>
#include <utility>

#include "libpeer/runtime/sleep.h"

namespace peer::sessions {

using namespace std::chrono_literals;

namespace {
constexpr runtime::Duration kLongestDelay = 30s;
/// After a session that lasted longer, the next pause is kFirstDialDelay again.
constexpr runtime::Duration kSettled = 5s;
/// The pause after a refusal.
constexpr runtime::Duration kRefusedDelay = 5min;
/// The pause after a refusal in party mode. A wrong key is most often a mistake that is soon corrected.
constexpr runtime::Duration kPartyDelay = 1min;
/// The pause after a refusal by a peer that is paired here: it may be about to pair this one.
constexpr runtime::Duration kPairedDelay = 4s;
/// How long connect() waits for the peer.
constexpr runtime::Duration kConnectAnswer = 10s;
}  // namespace

TargetDialer::TargetDialer(runtime::Executor& executor, const AccessLists& access, PeerTable& table, Dialer& dialer,
                           DialTargets& targets, TargetDialerOptions options)
    : executor_(executor),
      access_(access),
      table_(table),
      dialer_(dialer),
      targets_(targets),
      options_(std::move(options)) {}

runtime::Task<Result<PeerId>> TargetDialer::connect(std::string address, runtime::CancellationToken token) {
  const Result<net::HostPort> where = net::parse_host_port(address);
  if (!where) co_return std::unexpected(where.error());
  runtime::Deadline deadline(executor_, kConnectAnswer, token);
  Result<std::vector<net::SocketAddress>> resolved =
      fail(ErrorCode::unreachable, "resolving \"" + where->host + "\" took too long");
  try {
    resolved = co_await options_.resolver->resolve(where->host, where->port, deadline.token());
  } catch (const runtime::Cancelled&) {
    if (token.requested()) throw;
  }
  // A name that cannot be resolved is most often a typing error, so it is not added.
  if (!resolved) {
    co_return fail(resolved.error().code, resolved.error().message + "; give another name, or the peer's address");
  }
  const std::shared_ptr<DialTarget> target = targets_.add_static(address);  // shared: it may be dropped meanwhile
  bool asked = false;
  while (!connected(*target) && !target->gone && !deadline.expired()) {
    // The end of an old session is not the result of this dial.
    const bool ending = target->dial && (target->dial->answered || target->dial->dropped);
    if (!ending && !std::exchange(asked, true)) {
      target->state = api::PeerState::connecting;
      target->retry_now.set();
    }
    if (asked && target->state != api::PeerState::connecting) break;
    try {
      co_await targets_.peers_changed().wait(deadline.token());
    } catch (const runtime::Cancelled&) {
      if (token.requested()) throw;
    }
  }
  if (target->gone) co_return fail(ErrorCode::cancelled, "\"" + address + "\" was disconnected while it was dialed");
  if (connected(*target)) co_return *target->id;
  if (target->id == access_.self() && !target->configured) targets_.drop(*target);
  co_return std::unexpected(why_not_connected(*target, address));
}

Error TargetDialer::why_not_connected(const DialTarget& target, const std::string& address) {
  if (target.state == api::PeerState::refused)
    return Error{ErrorCode::refused, "\"" + address + "\" refused: " + target.error, 0};
  const std::string why = target.error.empty() ? "" : " (" + target.error + ")";
  return Error{ErrorCode::unreachable,
               "\"" + address + "\" does not answer" + why + "; peerd keeps dialing it until 'peerctl disconnect " +
                   address + "'",
               0};
}

runtime::Task<void> TargetDialer::run(runtime::Scope& scope) {
  for (const auto& target : targets_.all()) target->started = false;  // tasks of an earlier run are gone
  for (;;) {
    targets_.changed().reset();
    start_targets(scope);
    co_await targets_.changed().wait(scope.token());
  }
}

void TargetDialer::start_targets(runtime::Scope& scope) {
  targets_.remove_ended();
  if (dialer_.scope() == nullptr) return;  // changed() is set when it starts
  for (const auto& target : targets_.all()) {
    if (!std::exchange(target->started, true)) scope.spawn("dial " + target->address, keep(*target, scope.token()));
  }
}

runtime::Task<void> TargetDialer::keep(DialTarget& target, runtime::CancellationToken token) {
  do {
    co_await keep_connected(target, token);
  } while (!target.gone);  // a record may name it again
  target.ended = true;
  targets_.changed().set();
}

/// Returns when the target is gone.
runtime::Task<void> TargetDialer::keep_connected(DialTarget& target, runtime::CancellationToken token) {
  target.delay = kFirstDialDelay;
  target.retry_now.reset();
  if (target.id && *target.id < access_.self() && !connected(target)) co_await wait_retry(target, kDialYield, token);
  // A dial that an earlier run of the service began may still be under way.
  if (const std::shared_ptr<Dial> dial = target.dial; dial && !connected(target)) co_await dial->settled.wait(token);
  while (!target.gone) {
    if (connected(target)) {
      target.state = api::PeerState::connected;
      target.delay = kFirstDialDelay;
      co_await targets_.peers_changed().wait(token);
      continue;
    }
    target.state = api::PeerState::connecting;
    target.retry_now.reset();
    const Error error = co_await dial_once(target, token);
    if (connected(target)) continue;  // by another session
    const bool refused = error.code == ErrorCode::refused;
    target.state = refused ? api::PeerState::refused : api::PeerState::unreachable;
    target.error = error.message;
    targets_.notify();
    if (!target.is_static() && !refused && options_.refresh_addresses) options_.refresh_addresses(*target.id);
    options_.log.debug(target.address + ": " + error.message);
    const runtime::Duration pause = pause_after(target, refused);
    const auto spread =
        static_cast<std::int64_t>(options_.random->below(static_cast<std::uint64_t>(pause.count() / 4 + 1)));
    co_await wait_retry(target, pause + runtime::Duration(spread), token);
    target.delay = std::min(target.delay * 2, kLongestDelay);
  }
}

runtime::Duration TargetDialer::pause_after(const DialTarget& target, bool refused) const {
  if (!refused) return target.delay;
  const bool may_pair_soon = access_.paired_mode() && target.id && access_.is_paired(*target.id);
  if (may_pair_soon) return kPairedDelay;
  const bool not_dialed = target.id && !access_.admits(*target.id);
  // An mDNS record may be out of date: then another peer at that address has refused.
  const PeerEntry* const entry = target.id ? table_.find(*target.id) : nullptr;
  const bool by_peer = target.is_static() || (entry != nullptr && entry->state == api::PeerState::refused);
  if (!not_dialed && !by_peer) return target.delay;
  return access_.mode() == access::AccessMode::party ? kPartyDelay : kRefusedDelay;
}

/// Waits for the next attempt, or until retry_now is set. It may have been set during the last attempt.
runtime::Task<void> TargetDialer::wait_retry(DialTarget& target, runtime::Duration delay,
                                             runtime::CancellationToken token) {
  co_await target.retry_now.wait_for(executor_, delay, token);
}

/// Resolves the name, dials each address, and returns when the session is over.
runtime::Task<Error> TargetDialer::dial_once(DialTarget& target, runtime::CancellationToken token) {
  Error last{ErrorCode::unreachable, target.address + " has no address", 0};
  std::vector<net::SocketAddress> addresses = target.addresses;
  std::optional<PeerId> expected = target.id;
  if (target.is_static()) {
    const Result<net::HostPort> where = net::parse_host_port(target.address);
    if (!where) co_return where.error();
    const auto resolved = co_await options_.resolver->resolve(where->host, where->port, token);
    if (!resolved) co_return resolved.error();
    addresses = target.resolved = *resolved;
    expected.reset();  // any peer at that address
  }
  const bool stranger = expected && table_.find(*expected) == nullptr;
  for (const net::SocketAddress& address : addresses) {
    if (target.gone) break;
    runtime::SemaphoreUnits contact;
    if (stranger) contact = co_await dialer_.wait_contact(token);
    // The target holds the dial, so that a later run of the service finds the session that this one began.
    const std::shared_ptr<Dial> dial = dialer_.dial(address, expected, target.found_by, std::move(contact));
    target.dial = dial;
    co_await dial->over.wait(token);
    target.dial.reset();
    last = dial->outcome();
    if (dial->answered && !dial->verdict) {
      target.retry_now.reset();  // a retry that was requested during the session must not affect its end
      if (executor_.now() - dial->answered_at > kSettled) target.delay = kFirstDialDelay;
    }
    if (dial->answered) break;  // the other addresses lead to the same peer
  }
  co_return last;
}

}  // namespace peer::sessions
