// Download: one game in one version, from every peer that offers it, staged, verified chunk by chunk and published
// whole.
//
// Loop: control. The bytes never come here: sources run on the net loop and write through workers; this side plans.
// Cancel: at chunk and peer-attempt boundaries; what was received stays in the staging, logged, for the next time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/base/random.h"
#include "libpeer/library/library.h"
#include "libpeer/net/link.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/runtime/workers.h"
#include "libpeer/staging/staging.h"
#include "libpeer/store/disk.h"
#include "libpeer/transfer/bottleneck.h"
#include "libpeer/transfer/fetch.h"
#include "libpeer/transfer/pace.h"
#include "libpeer/transfer/partial_games.h"
#include "libpeer/transfer/plan.h"

namespace peer::transfer {

/// Received but not yet logged as durable: never more than this.
inline constexpr std::uint64_t kMaxUnlogged = 64 << 20;

/// Who offers a version now; implemented by the peer table. Loop: control.
class SourceList {
 public:
  virtual ~SourceList() = default;
  virtual std::vector<SourcePeer> sources(const std::string& game, const Digest& version) const = 0;
};

/// Hears what is here of a version that is being downloaded, so that others may fetch it from here; implemented by the
/// sessions' side. Loop: control.
class HoldingsSink {
 public:
  virtual ~HoldingsSink() = default;
  virtual void holdings_begin(const std::string& game, const Digest& version, const std::vector<bool>& have) = 0;
  virtual void holdings_grow(const std::string& game, std::uint64_t first, std::uint64_t count) = 0;
  virtual void holdings_end(const std::string& game) = 0;
};

struct DownloadContext {
  runtime::Executor* control = nullptr;
  runtime::Scope* net = nullptr;
  runtime::Workers* workers = nullptr;
  net::Transport* transport = nullptr;
  store::Disk* disk = nullptr;
  const SourceList* sources = nullptr;
  HoldingsSink* holdings = nullptr;  ///< null: nothing is told
  PartialGames* partial = nullptr;   ///< null: nothing is served before it is complete
  Random* random = nullptr;
  /// What lies on this disk already. Called on the control loop.
  std::function<std::shared_ptr<const library::Snapshot>()> local;
  /// A source was caught sending what it knew to be wrong. Called on the control loop.
  std::function<void(const PeerId&, const std::string& reason)> on_liar;
  /// A chunk from this peer was not what its hash says.
  std::function<void(const PeerId&)> on_wrong_chunk;
  std::string root;           ///< the library root that receives
  std::uint64_t reserve = 0;  ///< bytes to leave free
  RateLimit* down = nullptr;  ///< of all downloads together; used on the net loop
  Log log;
};

enum class Phase { waiting, fetching, publishing };

struct Progress {
  Phase phase = Phase::waiting;
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_reused = 0;
  std::uint64_t bytes_received = 0;
  double rate = 0;  ///< bytes a second
  std::optional<double> eta_s;
  std::map<PeerId, std::uint64_t> sources;  ///< payload by source
  std::optional<std::string_view> bottleneck;
};

struct DownloadOutcome {
  enum class Kind { finished, failed, peers_gone } kind = Kind::finished;
  static DownloadOutcome failure(Error error) { return {Kind::failed, nullptr, {}, std::move(error)}; }
  static DownloadOutcome gone() { return {Kind::peers_gone, nullptr, {}, std::nullopt}; }
  std::shared_ptr<const protocol::ManifestDocument> document;  ///< of a finished one
  staging::UserFiles user_files{};                             ///< of a finished one: what was there before
  std::optional<Error> error;
};

class Download {
 public:
  /// Everything in the context must outlive it. `on_progress` comes four times a second at most.
  Download(runtime::Scope& parent, DownloadContext context, std::string game, Digest version,
           std::function<void()> on_progress);
  ~Download();

  /// Once. Cancel: throws Cancelled after everything received is logged.
  runtime::Task<DownloadOutcome> run(runtime::CancellationToken token);
  /// What was received is not wanted any more: the end does not wait until it is on the disk. Cancel run() as well.
  void discard() { discard_.request(); }
  /// Whether a game that no download installed stays: then the download fails at its publication. False at first.
  void keep_own_game(bool keep) noexcept { keep_own_ = keep; }
  /// The source list changed.
  void sources_changed();
  Progress progress() const;
  /// Only these peers may serve it; empty: any.
  void restrict_to(std::set<PeerId> peers) { only_ = std::move(peers); }
  /// No source left is no end before then.
  void wait_for_sources(runtime::TimePoint until) { wait_until_ = until; }

 private:
  static constexpr std::size_t kSpansPerSource = kLanes + 1;
  static constexpr runtime::Duration kRetryDelay = std::chrono::seconds(1);  ///< after an attempt at a peer that failed
  struct Source {
    std::shared_ptr<runtime::Channel<Assignment>> spans;
    std::shared_ptr<SourceMeters> meters;
    std::unique_ptr<runtime::CancellationSource> stop;  ///< requested when the peer no longer offers the version
    std::vector<Assignment> outstanding;
    std::uint64_t held = 0;  ///< bytes outstanding
    Pace pace{kSpansPerSource * kSpanBytes, kSpansPerSource};
    bool busy = false;                   ///< it was left with something to do
    SourceMeters::Reading counted;       ///< of its meters, that Spent has
    std::optional<std::uint64_t> holds;  ///< the revision of what the planner knows of; kAll
    bool running = false;
    std::uint64_t way = 0;      ///< SourcePeer's, that it was dialled by
    bool excluded = false;      ///< sent wrong data or lacks what it offered
    std::uint64_t careful = 0;  ///< so many requests are for single chunks: there is a hole somewhere
    std::vector<bool> lacks;    ///< one a chunk: the holes found; empty: none
    unsigned holes = 0;
    unsigned failures = 0;              ///< spans in a row that came to nothing, the connection being whole
    runtime::TimePoint not_before{};    ///< after a failed connection
    std::uint64_t received_before = 0;  ///< by earlier connections

    bool partial() const { return holds && *holds != kAll; }
    std::uint64_t received() const { return received_before + (meters ? meters->received.load() : 0); }
  };
  static constexpr std::uint64_t kAll = static_cast<std::uint64_t>(-1);
  /// While it lives, what is here is told of and served.
  class Sharing {
   public:
    Sharing(const DownloadContext& context, const std::string& game, const Digest& version,
            std::shared_ptr<const protocol::ManifestDocument> document, std::shared_ptr<staging::Staging> staging);
    Sharing(const Sharing&) = delete;
    Sharing& operator=(const Sharing&) = delete;
    ~Sharing();

   private:
    const DownloadContext& context_;
    const std::string& game_;
  };

  // download.cc
  runtime::Task<DownloadOutcome> prepare(runtime::Scope& scope);
  runtime::Task<std::optional<DownloadOutcome>> obtain_document(runtime::Scope& scope);
  runtime::Task<std::optional<DownloadOutcome>> reuse(runtime::CancellationToken token);
  runtime::Task<DownloadOutcome> publish(runtime::CancellationToken token);
  std::shared_ptr<const library::OfferedGame> installed_here() const;
  runtime::Task<void> run_tasks(runtime::Scope& scope, std::optional<DownloadOutcome>& outcome);
  runtime::Task<void> tick_task(runtime::Scope& scope, runtime::CancellationToken token);
  runtime::Task<void> checkpoint_task(runtime::CancellationToken token);

  bool waiting() const { return context_.control->now() < wait_until_; }
  void measure();
  void look();
  std::vector<SourcePeer> listed() const;
  // download_sources.cc
  runtime::Task<DownloadOutcome> fetch_all(runtime::Scope& scope);
  runtime::Task<DownloadOutcome> fetch_from(runtime::Scope& sources);
  runtime::Task<void> source_task(PeerId id, SourceJob job, runtime::CancellationToken token);
  void refresh_sources(runtime::Scope& scope);
  void take_offer(const SourcePeer& peer, Source& source);
  void start_source(SourcePeer peer, Source& source, runtime::Scope& scope);
  void feed();
  std::optional<PeerId> hungriest(const std::set<PeerId>& sated) const;
  std::optional<Span> take_over(const PeerId& id, const Source& source);
  void release(Source& source, const Span& span);
  void drop_unwanted();
  void had(std::uint64_t first, std::uint64_t count);
  void handle(SourceReport report);
  bool note_hole(Source& source, const SpanFailed& failure);
  void take_failure(const SpanFailed& failure);
  std::optional<DownloadOutcome> verdict() const;

  runtime::Scope& parent_;
  DownloadContext context_;
  bool keep_own_ = false;
  std::string game_;
  Digest version_;
  std::function<void()> on_progress_;
  std::set<PeerId> only_;
  runtime::TimePoint wait_until_ = runtime::TimePoint::min();
  runtime::Channel<SourceReport> inbox_;

  Phase phase_ = Phase::waiting;
  std::shared_ptr<const protocol::ManifestDocument> document_;
  std::shared_ptr<staging::Staging> staging_;
  std::optional<Planner> planner_;
  std::map<PeerId, Source> sources_;
  std::optional<Sharing> sharing_;
  std::size_t taken_over_ = 0;      ///< spans that were assigned a second time
  runtime::TimePoint last_news_{};  ///< something was had, or could be had from somebody
  bool blocked_ = false;            ///< feed() stopped short because of what is not durable yet
  std::optional<Error> fatal_;
  std::optional<Error> last_error_;
  std::uint64_t received_before_ = 0;  ///< by earlier runs: what they left in the staging
  std::uint64_t reused_ = 0;
  runtime::CancellationSource discard_{runtime::CancellationToken()};
  bool checkpointing_ = false;
  runtime::TimePoint last_checkpoint_{};

  struct Sample {
    runtime::TimePoint at;
    std::uint64_t received;
  };
  std::vector<Sample> samples_;
  double rate_ = 0;
  Spent spent_;
  std::optional<std::string_view> bottleneck_;
};

}  // namespace peer::transfer
