// SIGHUP: the configuration as it stands now, judged.
#pragma once

#include "daemon.h"

namespace peer::daemon {

/// Reads the configuration again and says in the log whether it is good and what a restart would change. Changes
/// nothing. Blocks.
void check_again(const DaemonOptions& options);

/// Which file it is from, if it is good as it stands now. Blocks.
Result<std::string> judge_config(const DaemonOptions& options);

}  // namespace peer::daemon
