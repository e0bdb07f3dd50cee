// DownloadCommands: the handlers of the commands about downloads. Loop: control.
#pragma once

#include <utility>

#include "libpeer/api/commands.h"
#include "libpeer/downloads/downloads.h"

namespace peer::node {

class DownloadCommands {
 public:
  explicit DownloadCommands(downloads::Downloads& downloads) : downloads_(downloads) {}

  Result<std::vector<api::DownloadInfo>> handle(const api::ListDownloads&) { return downloads_.list(); }
  runtime::Task<Result<api::DownloadInfo>> handle(api::StartDownload command, runtime::CancellationToken token) {
    if (command.dry_run) return downloads_.plan(std::move(command), std::move(token));
    return start(std::move(command), std::move(token));
  }
  runtime::Task<Result<api::DownloadInfo>> handle(api::PauseDownload command, runtime::CancellationToken token) {
    return downloads_.pause(std::move(command.game), std::move(token));
  }
  runtime::Task<Result<api::DownloadInfo>> handle(api::ResumeDownload command, runtime::CancellationToken token) {
    return downloads_.resume(std::move(command.game), std::move(token));
  }
  runtime::Task<Result<api::DownloadInfo>> handle(api::MoveDownload command, runtime::CancellationToken token) {
    return downloads_.move(std::move(command.game), command.position, std::move(token));
  }
  runtime::Task<Result<bool>> handle(api::CancelDownload command, runtime::CancellationToken token) {
    return downloads_.cancel(std::move(command.game), std::move(token));
  }

 private:
  /// Replies when a crash can no longer lose the download.
  runtime::Task<Result<api::DownloadInfo>> start(api::StartDownload command, runtime::CancellationToken token) {
    co_await downloads_.wait_while_ending(command.game, token);
    Result<api::DownloadInfo> download = downloads_.start(command);
    if (download) co_await downloads_.save(command.game, token);
    co_return download;
  }

  downloads::Downloads& downloads_;
};

}  // namespace peer::node
