// Fetching a manifest: from one source, or from the first of many that gives it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libpeer/base/random.h"
#include "libpeer/transfer/fetch.h"

namespace peer::transfer {

using ManifestPtr = std::shared_ptr<const protocol::ManifestDocument>;

/// What one fetch needs; copied to the net loop.
struct ManifestJob {
  runtime::Scope* net = nullptr;
  net::Transport* transport = nullptr;
  runtime::Workers* workers = nullptr;
  SourcePeer peer;
  std::string game;
  Digest version;
  std::shared_ptr<std::atomic<std::uint64_t>> received;  ///< bytes so far
  ManifestJob() = default;
};

/// Connects, fetches the manifest and checks it against the version. Loop: net. Cancel: throws Cancelled. Fails:
/// unreachable, also if the source sends less than protocol::kManifestRate; refused, unavailable, invalid.
runtime::Task<Result<ManifestPtr>> fetch_manifest(ManifestJob job, runtime::CancellationToken token);

struct ManifestSearch {
  runtime::Scope* net = nullptr;
  net::Transport* transport = nullptr;
  runtime::Workers* workers = nullptr;
  Random* random = nullptr;
  std::string game;
  Digest version;
  /// The peers that offer the version now.
  std::function<std::vector<SourcePeer>()> sources;
  /// Told of each source that failed.
  std::function<void(const SourcePeer&, const Error&)> on_failure = [](const SourcePeer&, const Error&) {};
  ManifestSearch() = default;
};

/// Asks protocol::kManifestSources sources at once, in random order. Asks the next one when one fails, and when the
/// manifest has not come for protocol::kManifestSilence, so that silent and slow sources delay it but cannot hold it
/// up. Asks each source once.
/// Loop: that of `parent`, control. Cancel: throws Cancelled. Fails: unavailable if there is no source; otherwise the
/// last source's error, after all have failed.
/// Limits: kMaxAttempts sources at once; the one that sent least makes room.
runtime::Task<Result<ManifestPtr>> find_manifest(runtime::Scope& parent, ManifestSearch search,
                                                 runtime::CancellationToken token);

}  // namespace peer::transfer
