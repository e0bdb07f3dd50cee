// What a download needs from the rest of the peer, and the terms on which it runs.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/base/random.h"
#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/store/disk.h"
#include "libpeer/transfer/fetch.h"
#include "libpeer/transfer/partial_games.h"

namespace peer::transfer {

/// The peers that offer a version now; implemented by the peer table. Loop: control.
class SourceList {
 public:
  virtual ~SourceList() = default;
  virtual std::vector<SourcePeer> sources(const std::string& game, const Digest& version) const = 0;
};

/// Receives the holdings of downloads under way, so that other peers may fetch from here; implemented by sessions/.
/// Loop: control.
class HoldingsSink {
 public:
  virtual ~HoldingsSink() = default;
  virtual void holdings_begin(const std::string& game, const Digest& version, const std::vector<bool>& have) = 0;
  virtual void holdings_grow(const std::string& game, std::uint64_t first, std::uint64_t count) = 0;
  virtual void holdings_end(const std::string& game) = 0;
};

struct DownloadContext {
  runtime::Scope* net = nullptr;
  runtime::Workers* workers = nullptr;
  net::Transport* transport = nullptr;
  store::Disk* disk = nullptr;
  const SourceList* sources = nullptr;
  HoldingsSink* holdings = nullptr;  ///< null: holdings are not reported
  PartialGames* partial = nullptr;   ///< null: nothing is served before the game is complete
  Random* random = nullptr;
  /// The games on this disk, whose chunks are reused. Called on the control loop.
  std::function<std::shared_ptr<const library::Snapshot>()> local;
  /// A source confirmed that it had verified a chunk, and sent wrong bytes. Called on the control loop.
  std::function<void(const PeerId&, const std::string& reason)> on_liar;
  /// A source sent a chunk with a wrong hash. Called on the control loop.
  std::function<void(const PeerId&)> on_wrong_chunk;
  std::string root;           ///< the library root that receives the game
  std::uint64_t reserve = 0;  ///< bytes to leave free
  RateLimit* down = nullptr;  ///< the limit of all downloads together; used on the net loop
  Log log;
};

/// What one download fetches, and from whom. Loop: control.
struct DownloadTerms {
  std::string game;
  Digest version;
  std::set<PeerId> only{};  ///< the only peers that may serve it; empty: any
  runtime::TimePoint wait_until =
      runtime::TimePoint::min();  ///< until then the download continues even without sources
  bool keep_own_game = false;     ///< fail rather than replace a game that no download installed
};

/// The peers that offer the version now and may serve it.
std::vector<SourcePeer> eligible_sources(const DownloadContext& context, const DownloadTerms& terms);

}  // namespace peer::transfer
