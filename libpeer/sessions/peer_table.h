// PeerTable: who is there, what they offer, and since when nothing was heard of them. Pure state: no I/O, no
// coroutines. Loop: control.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/protocol/messages.h"
#include "libpeer/runtime/executor.h"
#include "libpeer/sessions/session.h"
#include "libpeer/transfer/download.h"

namespace peer::sessions {

/// An unreachable peer stays listed this long.
inline constexpr runtime::Duration kForgetAfter = std::chrono::minutes(10);
/// Listed at most; beyond it the one not heard of for longest gives way, as long as it is not connected.
inline constexpr std::size_t kMaxListedPeers = 4096;

/// A library update of several parts, until the last one is there: nothing of it counts before.
struct PartialUpdate {
  std::uint64_t base = 0;  ///< that the next part must have
  std::uint64_t revision = 0;
  std::map<std::string, protocol::GameSummary> games;
};

/// The library of a peer that was lost: should it come back unchanged, nothing is to be fetched again.
struct RememberedLibrary {
  std::uint64_t revision = 0;
  Digest digest;
  std::map<std::string, protocol::GameSummary> games;
};

/// What a peer has so far of a version that it is downloading, and we as well.
struct PartialHolding {
  Digest version;
  std::shared_ptr<std::vector<bool>> chunks;
  std::uint64_t revision = 0;  ///< counts up with each change, of whatever holding
};

struct PeerEntry {
  PeerId id;
  std::string name;
  api::PeerState state = api::PeerState::connecting;
  std::string refusal;  ///< why, while it is refused
  std::set<std::string> found_by;
  std::vector<net::SocketAddress> addresses;  ///< of its listeners
  std::string instance;
  std::uint64_t revision = 0;  ///< of its library, as known here; 0: nothing known
  Digest digest = protocol::library_digest({});
  std::map<std::string, protocol::GameSummary> games;
  std::optional<RememberedLibrary> remembered;
  std::optional<PartialUpdate> incoming;
  std::map<std::string, PartialHolding> holdings;  ///< by game; of this session
  std::optional<SessionId> session;
  std::uint64_t route_generation = 0;  ///< grows when a session replaces one whose connection was dead
  std::optional<double> rtt_ms;
  runtime::TimePoint last_seen{};

  /// As a whole.
  bool offers(const std::string& game, const Digest& version) const;
};

class PeerTable final : public transfer::SourceList {
 public:
  /// Adds it if it is not there; other entries' references stay good unless that one is not connected.
  PeerEntry& obtain(const PeerId& id);
  PeerEntry* find(const PeerId& id);
  const PeerEntry* find(const PeerId& id) const;
  void erase(const PeerId& id) { peers_.erase(id); }
  const std::map<PeerId, PeerEntry>& all() const noexcept { return peers_; }
  std::map<PeerId, PeerEntry>& all() noexcept { return peers_; }
  std::size_t connected() const;

  /// A static peer that goes by a HOST[:PORT].
  struct Named {
    std::optional<PeerId> id;  ///< none until it has answered
  };
  using FindNamed = std::function<std::optional<Named>(const std::string&)>;
  /// Who else can be meant by a name.
  void set_named(FindNamed find) { find_named_ = std::move(find); }

  /// By unique id prefix (4 digits or more), unique name or a static peer's HOST[:PORT]. Fails: invalid, telling why;
  /// unreachable for a static peer whose id is not known yet.
  Result<PeerId> resolve(const std::string& text) const;

  enum class Applied { unchanged, changed, gap };
  /// Takes an update in, as a whole once its last part is there; or tells that it does not fit what is known (then the
  /// library is to be asked for anew, and what was known stays).
  static Applied apply(PeerEntry& entry, const protocol::LibraryUpdate& update);

  /// It is no longer connected: what it offers is gone, but remembered.
  static void forget_library(PeerEntry& entry);
  /// It is back, with that Hello. What is remembered holds again if it is what the Hello speaks of, or can become so by
  /// a delta. False: the library is to be asked for, from the entry's revision on.
  static bool recall_library(PeerEntry& entry, const protocol::Hello& hello, bool restarted);

  /// Every version of every game that connected peers offer.
  std::map<std::string, std::vector<api::RemoteVersion>> catalogue() const;
  /// Of one game, as `from` offer it; empty: all.
  std::vector<api::RemoteVersion> versions(const std::string& game, const std::set<PeerId>& from) const;

  /// Those that offer it, and behind them those that have a part of it.
  std::vector<transfer::SourcePeer> sources(const std::string& game, const Digest& version) const override;

 private:
  std::map<PeerId, PeerEntry> peers_;
  FindNamed find_named_;
};

}  // namespace peer::sessions
