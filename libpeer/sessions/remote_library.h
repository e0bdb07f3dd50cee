// RemoteLibrary: the library of another peer, as known here. Pure state.
//
// An update costs as much as it has entries, however many games the peer has. Only the check of a digest visits every
// game. If the budget for that is used up, the update applies, and verify() checks it later.
// Loop: control.
// Limits: protocol::kMaxGamesPerPeer games; digests of protocol::kLibraryChecksBurst deltas at once and
// kLibraryChecksPerSecond per second.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "libpeer/protocol/messages.h"
#include "libpeer/sessions/digest_budget.h"

namespace peer::sessions {

using GameSummaries = std::map<std::string, protocol::GameSummary>;  ///< by game id
/// By game id: the new summary, or nothing if the game is no longer offered.
using GameChanges = std::map<std::string, std::optional<protocol::GameSummary>>;

/// The parts of a library update that have arrived. They count only after the last one.
struct PartialUpdate {
  bool snapshot = false;
  std::uint64_t base = 0;  ///< that the next part must have
  std::uint64_t revision = 0;
  GameChanges changes;  ///< to the known library; of a snapshot, to an empty one
};

/// The library of a peer that is not connected. If the peer reconnects with the same library, nothing is requested.
struct RememberedLibrary {
  std::uint64_t revision = 0;
  Digest digest;
  GameSummaries games;
};

struct RemoteLibrary {
  std::uint64_t revision = 0;                    ///< 0: the library is not known
  Digest digest = protocol::library_digest({});  ///< as the peer claims; see verified()
  GameSummaries games;

  /// The peer offers the whole version.
  bool offers(const std::string& game, const Digest& version) const;

  enum class Applied { unchanged, changed, gap };
  /// Applies an update. An update in several parts takes effect when its last part arrives. A gap means that the update
  /// does not continue the known library: the known library stays, and the whole library must be requested.
  Applied apply(const protocol::LibraryUpdate& update, DigestBudget& budget, runtime::TimePoint now);
  /// The digest is that of the games.
  bool verified() const noexcept { return verified_; }
  /// Checks the digest, unless the budget is used up. A gap means that the digest is wrong, and that the whole library
  /// must be requested.
  Applied verify(DigestBudget& budget, runtime::TimePoint now);
  /// The peer is no longer connected. Keeps its library in case the peer reconnects.
  void forget();
  /// The peer has reconnected with `hello`. Uses the kept library if `hello` names the same one, or a later revision of
  /// it. False: the changes since `revision` must be requested.
  bool recall(const protocol::Hello& hello, bool restarted);
  /// Drops the parts of an update that an earlier session sent.
  void drop_partial_update() { incoming_.reset(); }

 private:
  void collect(PartialUpdate& incoming, const protocol::LibraryUpdate& part) const;
  Applied replace(PartialUpdate whole, const Digest& claimed);
  Applied change(PartialUpdate whole, const Digest& claimed, DigestBudget& budget, runtime::TimePoint now);
  bool may_check(std::size_t count, DigestBudget& budget, runtime::TimePoint now);

  std::optional<RememberedLibrary> remembered_;
  std::optional<PartialUpdate> incoming_;
  runtime::TokenBucket checks_;
  bool verified_ = true;
};

}  // namespace peer::sessions
