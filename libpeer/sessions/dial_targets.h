// DialTargets: the list of peers that this peer keeps connected. The configuration, `peerctl connect` and mDNS name
// them; TargetDialer dials them.
// Loop: control.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/sessions/dialer.h"
#include "libpeer/sessions/peer_table.h"

namespace peer::sessions {

/// The pause after a first failed dial.
inline constexpr runtime::Duration kFirstDialDelay = std::chrono::seconds(1);

struct DialTarget {
  std::string found_by;                       ///< "static" or "mdns"
  std::string address;                        ///< HOST[:PORT] of a static target; the name of one that mDNS found
  bool configured = false;                    ///< static: named by the configuration
  std::vector<net::SocketAddress> addresses;  ///< from mDNS
  std::vector<net::SocketAddress> resolved;   ///< static: the last result of the name lookup
  std::optional<PeerId> id;  ///< static: of the peer that answered; mDNS: the id that the record claims
  api::PeerState state = api::PeerState::connecting;
  std::string error;
  bool started = false;        ///< a task dials it
  bool gone = false;           ///< dropped, or no record names it
  bool ended = false;          ///< gone, and its task has ended
  std::shared_ptr<Dial> dial;  ///< the dial under way
  runtime::Duration delay{};   ///< pause before the next dial, if this one fails
  runtime::Event retry_now;    ///< ends the pause

  bool is_static() const { return found_by == "static"; }
};

/// The result of dropping a peer's targets.
struct DroppedTargets {
  bool dropped = false;              ///< a target that connect() had added was removed
  bool configured = false;           ///< the configuration names the peer: that target stays
  bool on_mdns = false;              ///< mDNS finds the peer: that target stays
  std::vector<std::uint64_t> dials;  ///< dials under way, which the caller must close
};

class DialTargets {
 public:
  /// Makes `table` find peers by the addresses of static targets.
  DialTargets(const PeerId& self, PeerTable& table);

  /// Finds the target or adds it. Also finds a dropped target whose task has not ended yet.
  std::shared_ptr<DialTarget> add_static(const std::string& address);
  /// The addresses at which mDNS finds a peer now; none if no record names it. None of this is proven.
  void set_found(const PeerId& id, const std::string& name, std::vector<net::SocketAddress> addresses);
  /// Drops what connect() has added: the target with this address, and those that lead to the peer `id`.
  DroppedTargets drop(const std::string& address, std::optional<PeerId> id);
  /// Stops dialing the target. Returns the number of the dial under way, unless that dial has been answered.
  static std::optional<std::uint64_t> drop(DialTarget& target);
  /// Removes targets that are gone and whose tasks have ended.
  void remove_ended();

  /// Dials the peer now, if it is a target, and every target whose peer is not known yet. True if it is a target.
  bool retry(const PeerId& peer);
  void retry_all();
  /// A dial has reached `peer`, so the id of its target is known.
  void on_answered(const Dial& dial, const PeerId& peer);
  /// The peer is connected. Adds what its targets know to its entry.
  void on_greeted(PeerEntry& entry);
  /// The state of a peer has changed: wakes the tasks that wait for peers_changed().
  void notify();

  const DialTarget* find_static(const std::string& address) const;
  /// The id of the peer that a static target's address led to.
  std::optional<PeerId> static_id(const std::string& address) const;
  bool contains(const PeerId& peer) const;
  const std::vector<std::shared_ptr<DialTarget>>& all() const noexcept { return targets_; }
  /// Set when targets are to be started or removed.
  runtime::Event& changed() noexcept { return targets_changed_; }
  /// Set and reset at once by notify().
  runtime::Event& peers_changed() noexcept { return peers_changed_; }

 private:
  static void revive(DialTarget& target);

  PeerId self_;
  PeerTable& table_;
  std::vector<std::shared_ptr<DialTarget>> targets_;
  runtime::Event targets_changed_;
  runtime::Event peers_changed_;
};

}  // namespace peer::sessions
