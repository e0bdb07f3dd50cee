// AccessCommands: bans and pairs peers by name, address or id, and applies the consequences to their sessions and
// dials.
// Loop: control.
#pragma once

#include <string>

#include "libpeer/sessions/dial_targets.h"
#include "libpeer/sessions/peer_exchange.h"

namespace peer::sessions {

class AccessCommands {
 public:
  AccessCommands(AccessLists& access, SessionProtocol& sessions, PeerTable& table, DialTargets& targets,
                 PeerExchange& exchange, Log log);

  /// Ends the peer's session and refuses it from now on. False if it is already banned, or is this peer itself.
  bool ban(const PeerId& peer, const std::string& reason, const std::string& name);
  /// Finds a listed peer, or any peer by its whole id. Fails: invalid; unreachable if the id is not known yet.
  Result<PeerId> find_to_ban(const std::string& peer) const;
  /// Lifts the ban and dials the peer. Fails: invalid if no banned peer or several match.
  Result<void> unban(const std::string& peer);

  /// Admits a listed peer, or any peer by its whole id, in paired mode. Fails: invalid; unreachable if the id is not
  /// known yet.
  Result<api::Pairing> pair(const std::string& peer);
  /// In paired mode, also ends the peer's session. Fails: invalid if no paired peer or several match.
  Result<api::Pairing> unpair(const std::string& peer);

 private:
  Result<PeerId> find_to_pair(const std::string& peer) const;
  std::string pairing_note(const PeerId& peer) const;
  bool is_called(const PeerId& peer, const std::string& name, const std::string& text) const;

  AccessLists& access_;
  SessionProtocol& sessions_;
  PeerTable& table_;
  DialTargets& targets_;
  PeerExchange& exchange_;
  Log log_;
};

}  // namespace peer::sessions
