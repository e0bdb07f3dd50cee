// dry_run(): estimates a download without starting it.
// Loop: control.
#pragma once

#include "libpeer/downloads/options.h"
#include "libpeer/downloads/table.h"
#include "libpeer/downloads/version_chooser.h"

namespace peer::downloads {

/// Bytes per second to expect: the best rate of the past downloads, within the limit.
double expected_rate(const DownloadTable& table, const transfer::RateLimit* limit);

/// Fetches the manifest and counts what must be received and written. `options` and `chooser` must outlive the task.
/// Cancel: throws Cancelled. Fails: as VersionChooser::choose() and transfer::find_manifest().
runtime::Task<Result<api::DownloadInfo>> dry_run(runtime::Scope& parent, const DownloadsOptions& options,
                                                 const VersionChooser& chooser, double rate, api::StartDownload command,
                                                 runtime::CancellationToken token);

}  // namespace peer::downloads
