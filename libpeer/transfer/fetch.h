// The receiving side of a transfer: fetching manifests, and spans of chunks from one source.
// Loop: net.
//
// It shares with the control loop only channels, atomic counters and the Staging, which are safe to share.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "libpeer/net/link.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/staging.h"
#include "libpeer/transfer/plan.h"
#include "libpeer/transfer/rate_limit.h"

namespace peer::transfer {

/// A peer that offers a version, as the peer table lists it.
struct SourcePeer {
  PeerId id;
  std::string name;
  std::vector<net::SocketAddress> addresses;  ///< of its listeners, best first
  /// Grows when the route to the peer changes. Connections from an earlier generation may be dead.
  std::uint64_t route_generation = 0;
  /// One flag per chunk, of a peer that is itself downloading the version; null: it has all chunks. Loop: control.
  std::shared_ptr<const std::vector<bool>> holds = nullptr;
  std::uint64_t holds_revision = 0;  ///< the revision of `holds`
};

/// Concurrent requests on one connection: enough to hide a request's round trip and the disk behind each other.
inline constexpr std::size_t kLanes = 4;

/// A span that a source has to fetch.
struct Assignment {
  Span span;
  /// Set when other sources have delivered the whole span. The source then drops the rest.
  std::shared_ptr<std::atomic<bool>> unwanted = std::make_shared<std::atomic<bool>>(false);
};

/// Chunks of a span are verified and written.
struct SpanProgress {
  PeerId source;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
/// A span is complete, or was dropped as unwanted.
struct SpanDone {
  PeerId source;
  Span span;
};
enum class Blame {
  network,  ///< lost, late or refused: the source may be used again
  content,  ///< the source sent a chunk with a wrong hash; its file may have changed on its disk
  lie,      ///< the source confirmed that it verified a chunk, and sent wrong bytes
  missing,  ///< the source does not have what it offered
  hole,     ///< some chunk of the span has changed at the source since the game was installed there
  local,    ///< this machine's disk
};
struct SpanFailed {
  PeerId source;
  Span span;
  Blame blame;
  Error error;
};
/// The connection to a source has ended, and all its lanes with it.
struct SourceEnded {
  PeerId source;
  Blame blame;
  Error error;
};
/// Makes the receiver check its state again.
struct Wakeup {};
/// A checkpoint of the staging failed.
struct StagingFailed {
  Error error;
};
using SourceReport = std::variant<SpanProgress, SpanDone, SpanFailed, SourceEnded, Wakeup, StagingFailed>;

/// Counters of a source's lanes, read by the control loop.
struct SourceMeters {
  std::atomic<std::uint64_t> received = 0;    ///< chunk payload, counted as it arrives
  std::atomic<std::uint64_t> reading_ns = 0;  ///< time that lanes waited for bytes
  std::atomic<std::uint64_t> writing_ns = 0;  ///< time that lanes waited for bytes to be verified and written
  std::atomic<bool> held_back = false;        ///< the source reports that it holds itself back

  struct MeterReading {
    std::uint64_t received = 0;
    std::uint64_t reading_ns = 0;
    std::uint64_t writing_ns = 0;
  };
  MeterReading read() const { return {received.load(), reading_ns.load(), writing_ns.load()}; }
};

/// What a source's task needs; copied to the net loop.
struct SourceJob {
  net::Transport* transport = nullptr;
  runtime::Scope* net = nullptr;
  runtime::Workers* workers = nullptr;
  SourcePeer peer;
  std::string game;
  Digest version;
  std::shared_ptr<const protocol::ManifestDocument> document;
  std::shared_ptr<staging::Staging> staging;
  std::shared_ptr<runtime::Channel<Assignment>> spans;  ///< received on the net loop
  runtime::Channel<SourceReport>::Sender reports;
  RateLimit* down = nullptr;  ///< used on the net loop; null: no limit
  std::shared_ptr<SourceMeters> meters;

  explicit SourceJob(runtime::Channel<SourceReport>::Sender out) : reports(std::move(out)) {}
};

/// Connects and fetches spans until the channel closes, the connection ends, or the token is requested. Reports
/// everything but its own end, and returns why it ended.
runtime::Task<SourceEnded> run_source(SourceJob job, runtime::CancellationToken token);

/// Dials the peer's addresses in order until one answers.
runtime::Task<Result<std::unique_ptr<net::Link>>> dial_any(net::Transport& transport, SourcePeer peer,
                                                           runtime::CancellationToken token);

}  // namespace peer::transfer
