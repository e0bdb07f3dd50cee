// SIGHUP: the configuration as it stands now, judged and applied.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/daemon.h"
#include "libpeer/api/peer.h"
#include "libpeer/control/hooks.h"

namespace peer::daemon {

/// Reads the configuration again and applies what can be applied while the daemon runs; says in the log what that was
/// and what only a restart will. A bad one changes nothing. `current`: what holds now; brought up to date. `done`:
/// called once with the outcome in a line, when it holds, on any thread. Blocks.
void apply_again(const DaemonOptions& options, Config& current, const api::CommandSender& sender,
                 std::function<void(const std::string&)> done);

/// The programs to run for events.
control::HookSettings hook_settings(const Config& config);

/// What doctor says of the configuration as it stands now, and of who sets the clock. Blocks.
std::vector<api::Finding> judge_machine(const DaemonOptions& options);

}  // namespace peer::daemon
