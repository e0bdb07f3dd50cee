// Downloads: the queue of downloads, which users control: start, pause, resume, move, cancel.
//
// 1. There is one download per game at a time. A second command for the game attaches to it.
// 2. A download that has begun ends with exactly one of Finished, Failed, Cancelled, AllPeersGone, or with none of them
//    if the runtime stops first.
// 3. A paused download gives up its turn and closes its staging, but keeps its position. It continues where it was.
// 4. Disk trouble pauses only the download that encountered it, which is retried until the trouble has ended.
// Loop: control.
// Owns: the tasks of all downloads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libpeer/downloads/automatic.h"
#include "libpeer/downloads/options.h"
#include "libpeer/downloads/task.h"
#include "libpeer/runtime/scope.h"

namespace peer::downloads {

class Downloads {
 public:
  Downloads(runtime::Scope& parent, DownloadsOptions options);
  ~Downloads();

  /// Chooses the version, then starts the download or attaches to the one under way.
  Result<api::DownloadInfo> start(const api::StartDownload& command);
  /// Waits while a download of the game is ending; returns at once otherwise. Cancel: throws Cancelled.
  runtime::Task<void> wait_while_ending(std::string game, runtime::CancellationToken token);
  /// Saves the game's download, if one is under way, so that a crash does not lose it.
  runtime::Task<void> save(std::string game, runtime::CancellationToken token);
  /// Estimates a download without starting it.
  runtime::Task<Result<api::DownloadInfo>> plan(api::StartDownload command, runtime::CancellationToken token);

  // The commands of these names. Each returns when its effect is durable.
  runtime::Task<Result<api::DownloadInfo>> pause(std::string game, runtime::CancellationToken token);
  /// Also restarts a download that failed or lost its peers.
  runtime::Task<Result<api::DownloadInfo>> resume(std::string game, runtime::CancellationToken token);
  runtime::Task<Result<api::DownloadInfo>> move(std::string game, std::uint64_t position,
                                                runtime::CancellationToken token);
  /// Returns when the download has ended and its staging is deleted. Also deletes the staging of a failed download.
  runtime::Task<Result<bool>> cancel(std::string game, runtime::CancellationToken token);

  /// Restores the installed version completely; returns when that is done.
  runtime::Task<Result<bool>> repair(std::string game, Digest version, runtime::CancellationToken token);
  /// Deletes the staging of an earlier download of a game. Returns false if there is none.
  runtime::Task<Result<bool>> discard(std::string game, runtime::CancellationToken token);
  /// Call it after a game was removed: no longer lists its past download, and empties the trash.
  void removed(const std::string& game);
  std::vector<api::DownloadInfo> list() const;
  std::size_t active() const noexcept { return table_.size(); }
  bool downloading(const std::string& game) const { return table_.contains(game); }

  /// Applies to downloads that begin from now on.
  void reconfigure(std::size_t parallel, std::uint64_t reserve, std::vector<std::string> automatic);
  /// Starts the games that downloads.auto names, until the token is requested.
  runtime::Task<void> run_automatic(runtime::CancellationToken token);

  /// Continues the downloads of the last run. Each waits until a peer appears.
  runtime::Task<void> restore(runtime::CancellationToken token);
  /// Call it when the peers' offers or the library have changed.
  void sources_changed();

  /// Emits no further events. stop() must follow.
  void mute_events() noexcept { stopping_ = true; }
  /// Stops all downloads without an event of their end, so that the next start continues them. Returns when every task
  /// has ended.
  runtime::Task<void> stop();

 private:
  using EntryPtr = DownloadTable::EntryPtr;
  void enter(EntryPtr entry);
  EntryPtr new_entry(const api::StartDownload& command, const std::set<PeerId>& from,
                     const Result<VersionChoice>& choice);
  api::DownloadInfo info(const DownloadEntry& entry) const { return entry.info(scope_.executor().now()); }
  void emit(DownloadEntry& entry, api::DownloadEvent::Kind kind);
  static runtime::Task<void> wait_until_over(const EntryPtr& entry, runtime::CancellationToken token);

  runtime::Scope scope_;
  DownloadsOptions options_;
  Log log_;
  DownloadTable table_;
  VersionChooser chooser_;
  DownloadRecords records_;
  StagingCleaner cleaner_;
  DownloadTurns turns_;
  runtime::Event offers_changed_;
  bool stopping_ = false;
  DownloadServices services_;
  AutomaticDownloads automatic_;
};

}  // namespace peer::downloads
