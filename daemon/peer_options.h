// What the configuration says about the peer: who may use it, and the options to start it with.
#pragma once

#include "daemon/daemon.h"
#include "libpeer/access/gate.h"
#include "libpeer/api/peer.h"
#include "libpeer/discovery/interface_filter.h"
#include "libpeer/net/identity.h"

namespace peer::daemon {

/// Reads the party's key file if the configuration names one. Fails: invalid, if the file changed since
/// check_config().
Result<access::Access> access_of(const Config& config);

discovery::InterfaceFilter interfaces_of(const Config& config);

/// The options that do not depend on the machine; host::System::configure() fills in the rest. `options` must outlive
/// the peer.
api::PeerOptions peer_options(const DaemonOptions& options, access::Access access, net::Identity identity);

}  // namespace peer::daemon
