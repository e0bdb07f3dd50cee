#include "libpeer/net/connection_slots.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "libpeer/net/connection.h"
#include "libpeer/net/endpoint_core.h"

namespace peer::net {

std::optional<ConnectionSlot> ConnectionSlots::acquire(const SocketAddress& remote) {
  if (core_.connections().size() >= limits::kConnections) return std::nullopt;
  const RemoteKey key = RemoteKey::of(remote, std::nullopt, false, next_++);
  auto unaccepted = charge(unaccepted_, key, true);
  if (!unaccepted) return std::nullopt;
  auto inbound = charge(inbound_, key, false);
  if (!inbound) return std::nullopt;
  return ConnectionSlot{std::move(*inbound), std::move(*unaccepted)};
}

std::optional<FairAccount::AccountCharge> ConnectionSlots::charge(FairAccount& account, const RemoteKey& remote,
                                                                  bool unaccepted_only) {
  auto charge = account.charge(remote, 1);
  if (charge) return std::move(*charge);
  const std::optional<RemoteKey>& largest = charge.error().largest;
  std::shared_ptr<Connection> victim;
  if (largest) victim = choose_victim(largest->group, unaccepted_only, false);
  if (!victim) victim = choose_victim(remote.group, true, true);
  if (!victim) return std::nullopt;
  victim->close_http(NGHTTP3_H3_EXCESSIVE_LOAD,
                     {ErrorCode::busy, victim->remote().to_string() + ": another client needs the connection's slot"});
  victim->standing.slot = {};
  charge = account.charge(remote, 1);
  if (!charge) return std::nullopt;
  return std::move(*charge);
}

std::shared_ptr<Connection> ConnectionSlots::choose_victim(const ShareKey& group, bool unaccepted_only,
                                                           bool idle_only) const {
  std::set<PeerId> with_session;
  for (const auto& [serial, connection] : core_.connections()) {
    if (connection->peer() && connection->carries_session()) with_session.insert(*connection->peer());
  }
  using Rank = std::tuple<bool, bool, runtime::TimePoint>;
  std::shared_ptr<Connection> best;
  Rank best_rank;
  for (const auto& [serial, connection] : core_.connections()) {
    const ConnectionStanding& standing = connection->standing;
    if (standing.slot.inbound.amount() == 0 || standing.slot.inbound.remote().group != group) continue;
    if (unaccepted_only && standing.slot.unaccepted.amount() == 0) continue;
    if (idle_only && !connection->is_idle()) continue;
    const bool accepted =
        standing.slot.unaccepted.amount() == 0 || (connection->peer() && with_session.contains(*connection->peer()));
    const Rank rank{accepted, !connection->is_idle(), standing.busy_at};
    if (best && best_rank <= rank) continue;
    best = connection;
    best_rank = rank;
  }
  return best;
}

void ConnectionSlots::accept(Connection& connection, bool known) {
  ConnectionSlot& slot = connection.standing.slot;
  slot.unaccepted.reset();
  if (!known || !connection.peer() || slot.inbound.amount() == 0) return;
  const std::uint64_t number = slot.inbound.remote().connection;
  inbound_.move(slot.inbound, RemoteKey::of(connection.remote(), connection.peer(), true, number));
}

bool ConnectionSlots::has_session(const PeerId& peer) const {
  return std::ranges::any_of(core_.connections(), [&](const auto& entry) {
    return entry.second->peer() == peer && entry.second->carries_session();
  });
}

}  // namespace peer::net
