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

/// The library of a peer that is not connected. If the peer reconnects with the same library, nothing is requested.
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
  /// Applies an update. An update in several parts takes effect when its last part arrives. A gap means that the update
  /// does not continue the known library: the known library stays, and the whole library must be requested.
  Applied apply(const protocol::LibraryUpdate& update);
  /// The peer is no longer connected. Keeps its library in case the peer reconnects.
  void forget();
  /// The peer has reconnected with `hello`. Uses the kept library if `hello` names the same one, or a later revision of
  /// it. False: the changes since `revision` must be requested.
  bool recall(const protocol::Hello& hello, bool restarted);
  /// Drops the parts of an update that an earlier session sent.
  void drop_partial_update() { incoming_.reset(); }

 private:
  std::optional<RememberedLibrary> remembered_;
  std::optional<PartialUpdate> incoming_;
};

}  // namespace peer::sessions
