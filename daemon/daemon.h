// The daemon: one peer on this machine, with its control socket, signals and hooks.
#pragma once

#include <functional>
#include <string>

#include "daemon/config/config.h"
#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace peer::daemon {

struct DaemonOptions {
  Config config;
  std::string config_file;  ///< read again on SIGHUP
  Arguments arguments;
  std::string state;
  std::string socket;
  int passed_socket = -1;  ///< the listening descriptor of `socket` from systemd; -1: the daemon creates the socket
  std::string version;
  Log log;
  std::function<void()> flush_log;  ///< called before the program exits without returning from run_daemon()
};

/// Runs the daemon and returns its exit code: 0 after a clean stop, 1 after the failure of a required service. Blocks.
/// Fails: the peer could not start.
Result<int> run_daemon(const DaemonOptions& options);

}  // namespace peer::daemon
