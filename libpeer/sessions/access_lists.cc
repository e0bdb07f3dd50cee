#include "libpeer/sessions/access_lists.h"

namespace peer::sessions {

bool AccessLists::note_name(const PeerId& peer, const std::string& name) {
  const auto paired = pairings_.find(peer);
  if (paired == pairings_.end() || paired->second == name) return false;
  paired->second = name;
  return true;
}

std::string describe_peer(const PeerId& peer, const std::string& name) {
  return name.empty() || name == peer.brief() ? peer.brief() : name + " (" + peer.brief() + ")";
}

}  // namespace peer::sessions
