// SourcePool: the sources of one download. It starts and stops their tasks, keeps the planner informed about what they
// hold, and decides what a failure means for a source and for the download.
//
// Loop: control.
// Owns: the state of the sources. Every argument must outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/scope.h"
#include "libpeer/transfer/bottleneck.h"
#include "libpeer/transfer/download_context.h"
#include "libpeer/transfer/source_state.h"
#include "libpeer/transfer/span_dispatcher.h"

namespace peer::transfer {

/// What the sources fetch, and where they write it.
struct FetchTarget {
  std::shared_ptr<const protocol::ManifestDocument> document;
  std::shared_ptr<staging::Staging> staging;
};

/// Why a download cannot continue with its sources.
struct PoolVerdict {
  std::optional<Error> error;  ///< nothing: all peers with the game have gone
};

class SourcePool {
 public:
  using ReportSender = runtime::Channel<SourceReport>::Sender;

  /// `last_error`: the last error of an earlier source, if any. Reports of the sources go to `reports`.
  SourcePool(const DownloadContext& context, const DownloadTerms& terms, runtime::Executor& control, Planner& planner,
             const FetchTarget& target, ReportSender reports, std::optional<Error> last_error);

  /// Starts a task for every eligible peer that has none and is useful. Stops the tasks of peers that are no longer
  /// eligible, at once: the connection to a dead peer would take much longer to time out.
  void refresh(runtime::Scope& scope);
  void dispatch() { dispatcher_.dispatch(control_.now()); }
  /// Starts the time in which partial holders may obtain what is missing.
  void restart_patience() { last_news_ = control_.now(); }
  void handle(SourceReport report);
  /// Records chunks that are verified and written, and reports them as holdings.
  void mark_have(std::uint64_t first, std::uint64_t count);
  /// Set if the download must end: this machine's disk failed, or no source has the missing chunks.
  std::optional<PoolVerdict> verdict() const;
  /// The failure of this machine's disk, if there was one.
  const std::optional<Error>& fatal() const noexcept { return fatal_; }

  bool blocked() const noexcept { return dispatcher_.blocked(); }
  /// Bytes received, by source.
  std::map<PeerId, std::uint64_t> received() const;
  /// Adds what the sources' meters have counted since the last call.
  void add_times(TimeBreakdown& time);

 private:
  void update_holdings(const SourcePeer& peer, SourceState& source);
  void start(SourcePeer peer, SourceState& source, runtime::Scope& scope);
  runtime::Task<void> run_source_task(PeerId id, SourceJob job, runtime::CancellationToken token);
  bool note_hole(SourceState& source, const SpanFailed& failure);
  void handle_failure(const SpanFailed& failure);
  void exclude(const PeerId& id, SourceState& source, const Error& error);
  void handle_end(const SourceEnded& ended);
  bool may_bring_more(const SourcePeer& peer) const;

  const DownloadContext& context_;
  const DownloadTerms& terms_;
  runtime::Executor& control_;
  Planner& planner_;
  const FetchTarget& target_;
  ReportSender reports_;
  std::map<PeerId, SourceState> sources_;
  SpanDispatcher dispatcher_;
  runtime::TimePoint last_news_{};  ///< when a chunk was last written, or a source last changed what it holds
  std::optional<Error> fatal_;
  std::optional<Error> last_error_;
};

}  // namespace peer::transfer
