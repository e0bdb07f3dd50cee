// DownloadTask: runs one download, from the queue to its end.
//
// 1. The entry is removed from the table however the task ends: completion, error, cancellation or abandonment.
// 2. A download that emitted DownloadGameFilesBegin emits exactly one event for its end, or none if the runtime stops
//    first.
// 3. Each attempt lasts from one pause to the next. Disk trouble ends an attempt too.
// Loop: control.
// Owns: the entry while it runs; everything in DownloadServices must outlive it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libpeer/downloads/options.h"
#include "libpeer/downloads/records.h"
#include "libpeer/downloads/staging_cleaner.h"
#include "libpeer/downloads/table.h"
#include "libpeer/downloads/turns.h"
#include "libpeer/downloads/version_chooser.h"

namespace peer::downloads {

/// What the tasks of all downloads share.
struct DownloadServices {
  runtime::Scope& scope;
  const DownloadsOptions& options;
  const Log& log;
  DownloadTable& table;
  const VersionChooser& chooser;
  DownloadRecords& records;
  StagingCleaner& cleaner;
  DownloadTurns& turns;
  runtime::Event& offers_changed;  ///< set when the offers or the library have changed
  const bool& stopping;            ///< no further events are emitted
  std::function<void(DownloadEntry&, api::DownloadEvent::Kind)> emit;
};

class DownloadTask {
 public:
  DownloadTask(const DownloadServices& services, std::shared_ptr<DownloadEntry> entry)
      : services_(services), entry_(std::move(entry)) {}

  /// Runs until the download has ended. Cancel: returns, and keeps the staging unless the download was cancelled.
  static runtime::Task<void> run(const DownloadServices& services, std::shared_ptr<DownloadEntry> entry,
                                 runtime::CancellationToken token);

 private:
  class EntryGuard;
  runtime::Task<void> run_to_end(runtime::CancellationToken token);
  runtime::Task<void> run_attempts(runtime::CancellationToken token);
  runtime::Task<void> run_attempt(runtime::CancellationToken token);
  runtime::Task<void> wait_until_resumed(runtime::CancellationToken token);
  runtime::Task<void> wait_out_trouble(runtime::CancellationToken token);
  /// Waits until a version is offered or the wait has expired.
  runtime::Task<void> wait_for_version(runtime::CancellationToken token);
  bool version_available();
  /// Scans the game if it has not been scanned, so that a download neither fetches data that is already here nor
  /// replaces the game by an older version.
  runtime::Task<void> settle_version(runtime::CancellationToken token);
  runtime::Task<void> fetch(runtime::CancellationToken token);
  void start_transfer();
  runtime::Task<void> finish(transfer::DownloadOutcome outcome);
  void fail_transfer(Error error);
  runtime::Task<void> cancel();
  void end_attempt();
  /// Pauses the download if the error may be temporary, and returns false otherwise. If the game does not fit and
  /// nothing is staged yet, the command fails instead.
  bool note_trouble(const Error& error);
  void note_progress();
  void save_progress();
  runtime::Task<void> remove_record();

  void emit(api::DownloadEvent::Kind kind) { services_.emit(*entry_, kind); }
  const std::string& game() const noexcept { return entry_->game(); }
  Log log() const { return services_.log.game(game()); }
  runtime::TimePoint now() const { return services_.scope.executor().now(); }

  const DownloadServices& services_;
  std::shared_ptr<DownloadEntry> entry_;
};

}  // namespace peer::downloads
