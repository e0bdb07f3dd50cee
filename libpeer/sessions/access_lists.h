// AccessLists: the peers that are banned here, and the peers that are paired here. Pure state.
// Loop: control. The net loop has copies of the ids (see Gate).
#pragma once

#include <map>
#include <string>
#include <utility>

#include "libpeer/access/access_mode.h"
#include "libpeer/base/digest.h"

namespace peer::sessions {

struct Ban {
  std::string name;  ///< the peer's name when it was banned
  std::string reason;
  bool operator==(const Ban&) const = default;
};

class AccessLists {
 public:
  AccessLists(const PeerId& self, access::AccessMode mode) : self_(self), mode_(mode) {}

  const PeerId& self() const noexcept { return self_; }
  access::AccessMode mode() const noexcept { return mode_; }
  bool paired_mode() const noexcept { return mode_ == access::AccessMode::paired; }

  const std::map<PeerId, Ban>& bans() const noexcept { return bans_; }
  bool is_banned(const PeerId& peer) const { return bans_.contains(peer); }
  void add_ban(const PeerId& peer, Ban ban) { bans_.insert_or_assign(peer, std::move(ban)); }
  void remove_ban(const PeerId& peer) { bans_.erase(peer); }

  /// The paired peers, each with its last known name.
  const std::map<PeerId, std::string>& pairings() const noexcept { return pairings_; }
  bool is_paired(const PeerId& peer) const { return pairings_.contains(peer); }
  void add_pairing(const PeerId& peer, std::string name) { pairings_.insert_or_assign(peer, std::move(name)); }
  void remove_pairing(const PeerId& peer) { pairings_.erase(peer); }
  /// False only in paired mode, for a peer that is neither paired nor this peer itself.
  bool admits(const PeerId& peer) const { return !paired_mode() || peer == self_ || is_paired(peer); }

  /// Keeps the current name of a paired peer, so that it can be unpaired by that name. True if the name is new.
  bool note_name(const PeerId& peer, const std::string& name);

 private:
  PeerId self_;
  access::AccessMode mode_;
  std::map<PeerId, Ban> bans_;
  std::map<PeerId, std::string> pairings_;
};

/// "NAME (ID)", or only the id for a peer whose name is not known.
std::string describe_peer(const PeerId& peer, const std::string& name);

}  // namespace peer::sessions
