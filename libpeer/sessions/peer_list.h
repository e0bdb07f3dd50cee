// What `peerctl peers` lists: the peers that are known, banned, dialed or paired. Pure functions.
// Loop: control.
#pragma once

#include <vector>

#include "libpeer/sessions/dial_targets.h"

namespace peer::sessions {

api::PeerInfo peer_info(const PeerEntry& entry, const AccessLists& access, runtime::TimePoint now);

std::vector<api::PeerInfo> list_peers(const PeerTable& table, const AccessLists& access, const DialTargets& targets,
                                      runtime::TimePoint now);

}  // namespace peer::sessions
