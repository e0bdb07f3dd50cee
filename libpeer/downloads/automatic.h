// AutomaticDownloads: starts and updates the games that downloads.auto names.
//
// It starts what a user could start with `download GAME`: the default version, which never replaces a newer one. A game
// that a user cancelled or removed is left alone for the rest of the run.
// Loop: control.
// Owns: nothing; every argument must outlive it.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "libpeer/downloads/options.h"
#include "libpeer/downloads/table.h"
#include "libpeer/downloads/version_chooser.h"
#include "libpeer/runtime/event.h"

namespace peer::downloads {

class AutomaticDownloads {
 public:
  using Start = std::function<Result<api::DownloadInfo>(const api::StartDownload&)>;

  AutomaticDownloads(runtime::Executor& executor, const DownloadsOptions& options, const DownloadTable& table,
                     const VersionChooser& chooser, Start start, const Log& log);

  /// Starts due downloads until the token is requested; pauses while `stopping`. Cancel: throws Cancelled.
  runtime::Task<void> run(const bool& stopping, runtime::CancellationToken token);
  /// Call it when the offers, the library or the options have changed.
  void changed() { due_.set(); }
  /// Excludes a game, or includes it again.
  void dismiss(const std::string& game) { dismissed_.insert(game); }
  void undismiss(const std::string& game) { dismissed_.erase(game); }

 private:
  bool is_named(const std::string& game) const;
  void start_if_due(const std::string& game);

  runtime::Executor& executor_;
  const DownloadsOptions& options_;
  const DownloadTable& table_;
  const VersionChooser& chooser_;
  Start start_;
  const Log& log_;
  runtime::Event due_;
  std::set<std::string> dismissed_;
  std::map<std::string, runtime::TimePoint> retry_at_;  ///< no new attempt at a game before then
};

}  // namespace peer::downloads
