// The findings of "peerctl doctor" that only the daemon can make: the configuration file and the time service.
#pragma once

#include <vector>

#include "daemon/daemon.h"
#include "libpeer/api/answers.h"

namespace peer::daemon {

/// Reads the configuration file as it is now. Blocks.
std::vector<api::Finding> machine_findings(const DaemonOptions& options);

}  // namespace peer::daemon
