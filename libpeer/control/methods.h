// The methods of the control socket: they turn a call into a command of the peer, and its reply into an answer.
#pragma once

#include <vector>

#include "libpeer/control/method.h"

namespace peer::control {

/// Every method, in the order of the OpenRPC document.
const std::vector<MethodGroup>& method_groups();

/// Checks the method and its parameters, then handles the call. `answer` is called exactly once.
void dispatch(MethodContext& context, const Call& call, Answer answer);

}  // namespace peer::control
