// AccessCommands: banning and pairing, by what the user calls a peer, with the consequences for its session and dials.
// Loop: control.
#pragma once

#include <string>

#include "libpeer/sessions/dial_targets.h"
#include "libpeer/sessions/peer_exchange.h"

namespace peer::sessions {

class AccessCommands {
 public:
  AccessCommands(AccessLists& access, Sessions& sessions, PeerTable& table, DialTargets& targets,
                 PeerExchange& exchange, Log log);

  /// Ends the peer's session and refuses it from now on. False if that changes nothing: it is banned, or this peer.
  bool ban(const PeerId& peer, const std::string& reason, const std::string& name);
  /// Also finds a peer that is not known, by its whole id. Fails: invalid; unreachable if the id is not known yet.
  Result<PeerId> find_to_ban(const std::string& peer) const;
  /// Lifts the ban and dials the peer. Fails: invalid if no banned peer or several match.
  Result<void> unban(const std::string& peer);

  /// Lets paired mode admit the peer. Also finds a peer that is not known, by its whole id. Fails: invalid; unreachable
  /// if the id is not known yet.
  Result<api::Pairing> pair(const std::string& peer);
  /// In paired mode, also ends the peer's session. Fails: invalid if no paired peer or several match.
  Result<api::Pairing> unpair(const std::string& peer);

 private:
  Result<PeerId> find_to_pair(const std::string& peer) const;
  std::string pairing_note(const PeerId& peer) const;
  bool is_called(const PeerId& peer, const std::string& name, const std::string& text) const;

  AccessLists& access_;
  Sessions& sessions_;
  PeerTable& table_;
  DialTargets& targets_;
  PeerExchange& exchange_;
  Log log_;
};

}  // namespace peer::sessions
