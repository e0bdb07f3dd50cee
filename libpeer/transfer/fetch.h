// The receiving side of a transfer, on the net loop: manifests, and spans of chunks from one source.
//
// Nothing mutable is shared with the control loop but what is safe to share: channels, an atomic counter and the
// Staging.
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

/// A peer that offers a version, as the peer table knows it.
struct SourcePeer {
  PeerId id;
  std::string name;
  std::vector<net::SocketAddress> addresses;  ///< of its listeners, best first
  /// Another one: the way to it is another, and connections of before may lead nowhere.
  std::uint64_t way = 0;
  /// One flag a chunk, of a peer that is downloading the version itself; null: it has all. Loop: control.
  std::shared_ptr<const std::vector<bool>> holds = nullptr;
  std::uint64_t holds_revision = 0;  ///< of what `holds` points to
};

/// Requests under way at once on one connection: enough to hide a request's round trip and the disk behind each other.
inline constexpr std::size_t kLanes = 4;

/// A span that a source is to bring.
struct Assignment {
  Span span;
  /// Another source was faster: what is still missing of it is wanted no more.
  std::shared_ptr<std::atomic<bool>> unwanted = std::make_shared<std::atomic<bool>>(false);
};

/// Chunks of a span are verified and written; or the span failed after that.
struct SpanProgress {
  PeerId source;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
/// All of it is here, or it was wanted no more.
struct SpanDone {
  PeerId source;
  Span span;
};
enum class Blame {
  network,  ///< lost, late or refused: may be asked again
  content,  ///< the source sent a chunk that is not what its hash says; its disk may have changed under it
  lie,      ///< it says that its copy was hashed just now, and sends wrong bytes nevertheless
  missing,  ///< the source does not have what it offered
  hole,     ///< some of the span was changed at the source since it was installed there
  local,    ///< this machine's disk
};
struct SpanFailed {
  PeerId source;
  Span span;
  Blame blame;
  Error error;
};
/// The source's connection is over; nothing of it is under way any more.
struct SourceEnded {
  PeerId source;
  Blame blame;
  Error error;
};
/// Something changed on the control loop; look again.
struct LookAgain {};
/// A checkpoint of the staging failed.
struct StagingFailed {
  Error error;
};
using SourceReport = std::variant<SpanProgress, SpanDone, SpanFailed, SourceEnded, LookAgain, StagingFailed>;

/// What a source's lanes count, for the control loop.
struct SourceMeters {
  std::atomic<std::uint64_t> received = 0;    ///< chunk payload, counted as it arrives
  std::atomic<std::uint64_t> reading_ns = 0;  ///< lanes' time in waiting for it
  std::atomic<std::uint64_t> writing_ns = 0;  ///< and for its being verified and written
  std::atomic<bool> held_back = false;        ///< the source says that it holds itself back

  struct Reading {
    std::uint64_t received = 0;
    std::uint64_t reading_ns = 0;
    std::uint64_t writing_ns = 0;
  };
  Reading read() const { return {received.load(), reading_ns.load(), writing_ns.load()}; }
};

/// What a source's task works with; copied to the net loop.
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
  RateLimit* down = nullptr;  ///< on the net loop; null: none
  std::shared_ptr<SourceMeters> meters;

  explicit SourceJob(runtime::Channel<SourceReport>::Sender out) : reports(std::move(out)) {}
};

/// Connects and fetches spans until the channel closes, the connection ends, or the token is requested. Reports
/// everything but its own end; returns why it ended.
runtime::Task<SourceEnded> run_source(SourceJob job, runtime::CancellationToken token);

struct ManifestJob {
  net::Transport* transport = nullptr;
  runtime::Workers* workers = nullptr;
  SourcePeer peer;
  std::string game;
  Digest version;
  ManifestJob() = default;
};

/// Connects, gets the manifest, checks it against the version. Fails: unreachable, refused, unavailable, invalid.
runtime::Task<Result<std::shared_ptr<const protocol::ManifestDocument>>> fetch_manifest(
    ManifestJob job, runtime::CancellationToken token);

/// Tries each address in turn.
runtime::Task<Result<std::unique_ptr<net::Link>>> dial_any(net::Transport& transport, SourcePeer peer,
                                                           runtime::CancellationToken token);

}  // namespace peer::transfer
