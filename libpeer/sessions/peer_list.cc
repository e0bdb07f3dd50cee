#include "libpeer/sessions/peer_list.h"

#include <set>
#include <utility>

namespace peer::sessions {

namespace {
/// A peer that is known only from the bans or the pairings.
api::PeerInfo absent(const PeerId& id, const std::string& name, api::PeerState state, bool paired) {
  api::PeerInfo info;
  info.id = id;
  info.name = name;
  info.state = state;
  info.paired = paired;
  return info;
}

/// A target that has not been reached.
api::PeerInfo target_info(const DialTarget& target, const AccessLists& access) {
  api::PeerInfo info;
  info.name = target.address;
  // The id in an mDNS record is only a claim, but in paired mode the user needs it for pairing.
  if (target.is_static() || access.paired_mode()) info.id = target.id;
  info.paired = target.id && access.is_paired(*target.id);
  const auto& addresses = target.is_static() ? target.resolved : target.addresses;
  for (const net::SocketAddress& address : addresses) info.addresses.push_back(address.to_string());
  info.state = target.state;
  if (target.state == api::PeerState::refused) info.reason = target.error;
  info.found_by.push_back(target.found_by);
  return info;
}
}  // namespace

api::PeerInfo peer_info(const PeerEntry& entry, const AccessLists& access, runtime::TimePoint now) {
  api::PeerInfo info;
  info.id = entry.id;
  info.name = entry.name;
  for (const net::SocketAddress& address : entry.addresses) info.addresses.push_back(address.to_string());
  info.state = access.is_banned(entry.id) ? api::PeerState::banned : entry.state;
  if (info.state == api::PeerState::refused) info.reason = entry.refusal;
  info.paired = access.is_paired(entry.id);
  info.found_by.assign(entry.found_by.begin(), entry.found_by.end());
  info.games = entry.library.games.size();
  info.rtt_ms = entry.rtt_ms;
  info.last_seen_s = std::chrono::duration<double>(now - entry.last_seen).count();
  return info;
}

std::vector<api::PeerInfo> list_peers(const PeerTable& table, const AccessLists& access, const DialTargets& targets,
                                      runtime::TimePoint now) {
  std::vector<api::PeerInfo> all;
  const auto is_listed = [&](const PeerId& id) { return table.find(id) != nullptr || access.is_banned(id); };
  for (const auto& [id, entry] : table.all()) all.push_back(peer_info(entry, access, now));
  for (const auto& [id, ban] : access.bans()) {
    if (table.find(id) == nullptr) all.push_back(absent(id, ban.name, api::PeerState::banned, access.is_paired(id)));
  }
  std::set<PeerId> dialed;
  for (const auto& target : targets.all()) {
    if (target->gone || (target->id && (is_listed(*target->id) || *target->id == access.self()))) continue;
    if (target->id) dialed.insert(*target->id);
    all.push_back(target_info(*target, access));
  }
  for (const auto& [id, name] : access.pairings()) {
    if (!is_listed(id) && !dialed.contains(id)) all.push_back(absent(id, name, api::PeerState::unreachable, true));
  }
  return all;
}

}  // namespace peer::sessions
