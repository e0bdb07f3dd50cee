// Derives the peer's access and settings from the configuration.
#pragma once

#include <memory>

#include "daemon/daemon.h"
#include "libpeer/access/gate.h"
#include "libpeer/api/peer_options.h"
#include "libpeer/api/test_hooks.h"
#include "libpeer/discovery/interface_filter.h"

namespace peer::daemon {

/// Reads the party's key file if the configuration names one. Fails: invalid, if the file changed since
/// check_config().
Result<access::Access> access_of(const Config& config);

discovery::InterfaceFilter interfaces_of(const Config& config);

api::PeerSettings peer_settings(const DaemonOptions& options, access::Access access);

/// In test builds, the hooks of the environment variable PEERD_TAMPER and of the method debug.fail; otherwise null.
std::unique_ptr<api::TestHooks> test_hooks();

}  // namespace peer::daemon
