// PeerTable: the known peers, what they offer, and when each last sent something. Pure state: no I/O, no coroutines.
// Loop: control.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/sessions/remote_library.h"
#include "libpeer/sessions/session_stream.h"
#include "libpeer/transfer/download.h"

namespace peer::sessions {

/// How long an unreachable peer stays listed.
inline constexpr runtime::Duration kForgetAfter = std::chrono::minutes(10);
/// Maximum number of listed peers. Beyond it, the unconnected peer that has been silent for longest is dropped.
inline constexpr std::size_t kMaxListedPeers = 4096;

/// 8 to 64 hex digits in lower case.
bool looks_like_id(std::string_view text);

/// The chunks that a peer has of a version that both it and this peer are downloading.
struct PartialHolding {
  Digest version;
  std::shared_ptr<std::vector<bool>> chunks;
  std::uint64_t revision = 0;  ///< from one counter for all holdings; grows with each change
};

/// What is known of one peer.
struct PeerEntry {
  PeerId id;
  std::string name;
  api::PeerState state = api::PeerState::connecting;
  std::string refusal;  ///< the reason, while the state is refused
  std::set<std::string> found_by;
  std::vector<net::SocketAddress> addresses;  ///< of its listeners, best first
  std::string instance;
  RemoteLibrary library;
  std::map<std::string, PartialHolding> holdings;  ///< by game; of the current session
  std::optional<SessionId> session;
  std::uint64_t route_generation = 0;  ///< number of sessions that replaced one whose route was dead
  std::optional<double> rtt_ms;
  runtime::TimePoint last_seen{};

  /// Replaces the addresses by those that `hello` names and `may_dial` accepts, up to protocol::kMaxAddressesPerPeer.
  void learn_addresses(const protocol::Hello& hello, const net::SocketAddress& remote, bool inbound,
                       const std::function<bool(const net::SocketAddress&)>& may_dial);
  /// Adds those that are not known yet, up to protocol::kMaxAddressesPerPeer.
  void add_addresses(const std::vector<net::SocketAddress>& more);
};

class PeerTable final : public transfer::SourceList {
 public:
  /// Finds or adds an entry. Adding may drop an unconnected peer; references to all other entries stay valid.
  PeerEntry& obtain(const PeerId& id);
  PeerEntry* find(const PeerId& id);
  const PeerEntry* find(const PeerId& id) const;
  void erase(const PeerId& id) { peers_.erase(id); }
  const std::map<PeerId, PeerEntry>& all() const noexcept { return peers_; }
  std::map<PeerId, PeerEntry>& all() noexcept { return peers_; }
  std::size_t connected() const;
  bool is_connected(const PeerId& id) const;

  /// A peer that is dialed by HOST[:PORT].
  struct DialedName {
    std::optional<PeerId> id;  ///< none until it has answered
  };
  using FindDialed = std::function<std::optional<DialedName>(const std::string&)>;
  /// Sets how resolve() finds peers by the address that they are dialed by.
  void set_find_dialed(FindDialed find) { find_dialed_ = std::move(find); }

  /// Finds a peer by a unique id prefix of at least 4 digits, by a unique name, or by a static peer's HOST[:PORT].
  /// Text that looks like an id is never taken for a name, because a peer may call itself by another peer's digits.
  /// Fails: invalid if no peer or several peers match; unreachable if a static peer's id is not known yet.
  Result<PeerId> resolve(const std::string& text) const;

  /// Every version of every game that connected peers offer.
  std::map<std::string, std::vector<api::RemoteVersion>> catalogue() const;
  /// The versions of one game that the peers `from` offer; that any peer offers if `from` is empty.
  std::vector<api::RemoteVersion> versions(const std::string& game, const std::set<PeerId>& from) const;

  /// The peers that offer the version, then those that have a part of it.
  std::vector<transfer::SourcePeer> sources(const std::string& game, const Digest& version) const override;

 private:
  std::map<PeerId, PeerEntry> peers_;
  FindDialed find_dialed_;
};

}  // namespace peer::sessions
