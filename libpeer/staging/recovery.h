// Recovery: after a crash, completes or rolls back publications that it interrupted.
//
// Loop: none; a worker.
#pragma once

#include <string>
#include <vector>

#include "libpeer/base/result.h"
#include "libpeer/staging/user_files.h"
#include "libpeer/staging/workspace.h"
#include "libpeer/store/disk.h"

namespace peer::staging {

/// Recovers every stage below the root, and removes empty ones. Called once at the start, before a staging is opened.
/// Fails: the first error; the other stages are recovered nevertheless.
Result<std::vector<UserFiles>> recover(store::Disk& disk, const std::string& root);

/// Recovers the stage of one game, if its publication was interrupted.
Result<UserFiles> recover_stage(Workspace& workspace, const std::string& game);

}  // namespace peer::staging
