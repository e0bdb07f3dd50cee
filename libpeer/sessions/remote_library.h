// RemoteLibrary: the library of another peer, as known here. Pure state.
// Loop: control.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "libpeer/protocol/messages.h"

namespace peer::sessions {

using GameSummaries = std::map<std::string, protocol::GameSummary>;  ///< by game id

/// The parts of a library update that have arrived. They count only after the last one.
struct PartialUpdate {
  std::uint64_t base = 0;  ///< that the next part must have
  std::uint64_t revision = 0;
  GameSummaries games;
};

/// The library of a peer that is not connected. If the peer comes back with the same library, nothing is requested.
struct RememberedLibrary {
  std::uint64_t revision = 0;
  Digest digest;
  GameSummaries games;
};

struct RemoteLibrary {
  std::uint64_t revision = 0;  ///< 0: the library is not known
  Digest digest = protocol::library_digest({});
  GameSummaries games;

  /// The peer offers the whole version.
  bool offers(const std::string& game, const Digest& version) const;

  enum class Applied { unchanged, changed, gap };
  /// Applies an update; one in several parts counts when its last part arrives. A gap: the update does not fit what is
  /// known here. Then the known library stays, and the whole library must be requested.
  Applied apply(const protocol::LibraryUpdate& update);
  /// The peer is no longer connected. Its library is remembered in case that the peer comes back.
  void forget();
  /// The peer is back with `hello`. Uses the remembered library if `hello` names the same one, or a later revision of
  /// it. False: the changes since `revision` must be requested.
  bool recall(const protocol::Hello& hello, bool restarted);
  /// Parts of an update that another session began no longer count.
  void drop_partial_update() { incoming_.reset(); }

 private:
  std::optional<RememberedLibrary> remembered_;
  std::optional<PartialUpdate> incoming_;
};

}  // namespace peer::sessions
