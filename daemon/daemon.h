// The whole daemon: wires one peer to the machine it runs on and keeps it until it ends.
#pragma once

#include <string>

#include "daemon/config/config.h"
#include "libpeer/base/log.h"
#include "libpeer/base/result.h"

namespace peer::daemon {

struct DaemonOptions {
  Config config;
  std::string config_file;  ///< empty: none; checked again on SIGHUP
  Arguments arguments;
  std::string state;
  std::string socket;
  int passed_socket = -1;  ///< systemd's, at `socket`; -1: it is made
  std::string version;
  Log log;
};

/// The exit code of a peer that ran: 0 after a clean stop, 1 after a Required service's failure. Blocks. Fails: what
/// kept it from starting.
Result<int> run_daemon(const DaemonOptions& options);

}  // namespace peer::daemon
