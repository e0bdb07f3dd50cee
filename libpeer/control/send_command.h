// Sends a command from control/ to the peer.
#pragma once

#include <functional>

#include "libpeer/api/commands.h"

namespace peer::control {

/// Returns false if the peer accepts no further commands. The reply arrives on the control loop.
using SendCommand = std::function<bool(api::Command)>;

}  // namespace peer::control
