// Download: fetches one version of a game from every peer that offers it. Chunks are verified and staged one by one,
// and the game is published whole.
//
// Payload never passes through the control loop: sources run on the net loop and write through workers. The control
// loop plans.
// Loop: control.
// Owns: its tasks; everything in the context must outlive it.
// Cancel: between chunks and between connection attempts. Received data stays in the staging, logged, for the next
// download of that version.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/transfer/checkpointer.h"
#include "libpeer/transfer/download_context.h"
#include "libpeer/transfer/download_meter.h"
#include "libpeer/transfer/source_pool.h"
#include "libpeer/transfer/staging_share.h"

namespace peer::transfer {

enum class Phase { waiting, fetching, publishing };

struct Progress {
  Phase phase = Phase::waiting;
  std::uint64_t bytes_total = 0;  ///< 0: the staging is not open yet, and the other counts are not known
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_reused = 0;    ///< by this run, plus bytes of earlier runs that are still staged
  std::uint64_t bytes_received = 0;  ///< by this run, and by earlier runs as far as it is still staged
  double rate = 0;                   ///< bytes per second
  std::optional<double> eta_s;
  std::map<PeerId, std::uint64_t> sources;  ///< bytes received by this run, by source
  std::optional<std::string_view> bottleneck;
};

struct DownloadOutcome {
  enum class Kind { finished, failed, peers_gone } kind = Kind::finished;
  static DownloadOutcome failure(Error error) { return {Kind::failed, nullptr, {}, std::move(error)}; }
  static DownloadOutcome gone() { return {Kind::peers_gone, nullptr, {}, std::nullopt}; }
  std::shared_ptr<const protocol::ManifestDocument> document;  ///< if finished
  staging::UserFiles user_files{};                             ///< if finished: the user's files in the old version
  std::optional<Error> error;
};

class Download {
 public:
  /// `on_progress` is called at most four times per second.
  Download(runtime::Scope& parent, DownloadContext context, std::string game, Digest version,
           std::function<void()> on_progress);
  ~Download();

  /// Runs the download; call it once. Cancel: throws Cancelled after everything received is logged.
  runtime::Task<DownloadOutcome> run(runtime::CancellationToken token);
  /// Lets run() end without waiting until the received data is durable. The caller also cancels run().
  void discard() { discard_.request(); }
  /// If set, the publication fails rather than replace a game that no download installed.
  void keep_own_game(bool keep) noexcept { terms_.keep_own_game = keep; }
  /// Call it when the source list has changed.
  void sources_changed();
  Progress progress() const;
  /// Fetches only from these peers; from any peer if empty.
  void restrict_to(std::set<PeerId> peers) { terms_.only = std::move(peers); }
  /// Bytes that earlier runs reused. Those of them that are still staged count as reused, not as received.
  void count_reused_before(std::uint64_t bytes) noexcept { counts_.reused_before = bytes; }
  /// Until then the loss of all sources does not end the download.
  void wait_for_sources(runtime::TimePoint until) { terms_.wait_until = until; }

 private:
  using Early = std::optional<DownloadOutcome>;  // set: the download ends here

  runtime::Task<void> run_tasks(runtime::Scope& scope, Early& outcome);
  runtime::Task<Early> obtain_document(std::optional<Error>& last_error, runtime::CancellationToken token);
  runtime::Task<Early> prepare(std::optional<Error> last_error, runtime::CancellationToken token);
  runtime::Task<Early> reuse(runtime::CancellationToken token);
  runtime::Task<DownloadOutcome> fetch_all(runtime::Scope& scope);
  runtime::Task<DownloadOutcome> fetch_from(runtime::Scope& sources);
  runtime::Task<DownloadOutcome> publish(runtime::CancellationToken token);
  runtime::Task<void> close_staging();
  runtime::Task<void> tick_task(runtime::Scope& scope, runtime::CancellationToken token);
  void sample_rate();
  void sample_time();
  std::shared_ptr<const library::OfferedGame> installed_here() const;
  runtime::Executor& control() const { return parent_.executor(); }

  /// Bytes, for the split between reused and received.
  struct ReuseCounts {
    std::uint64_t staged_before = 0;  ///< by earlier runs
    std::uint64_t reused_before = 0;  ///< the part of `staged_before` that those runs reused
    std::uint64_t reused = 0;         ///< by this run
  };

  runtime::Scope& parent_;
  DownloadContext context_;
  DownloadTerms terms_;
  std::function<void()> on_progress_;
  runtime::Channel<SourceReport> inbox_;
  runtime::CancellationSource discard_{runtime::CancellationToken()};
  Phase phase_ = Phase::waiting;
  FetchTarget target_;
  std::optional<Planner> planner_;
  std::optional<SourcePool> pool_;
  std::optional<Checkpointer> checkpointer_;
  std::optional<StagingShare> share_;
  ReuseCounts counts_;
  DownloadMeter meter_;
};

}  // namespace peer::transfer
