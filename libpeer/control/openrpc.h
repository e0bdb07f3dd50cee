// The OpenRPC document: every method, what it answers, and what events look like, as JSON Schema.
#pragma once

#include <string>

#include "libpeer/control/rpc.h"

namespace peer::control {

/// `version` is the program's.
Json openrpc_document(const std::string& version);

}  // namespace peer::control
