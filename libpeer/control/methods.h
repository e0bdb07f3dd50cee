// The methods of the control socket: they turn a call into a command of the peer, and its reply into an answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/control/method.h"

namespace peer::control {

/// Every method, in the order of the OpenRPC document.
const std::vector<MethodGroup>& method_groups();

/// The method and its simple parameters, for the log. Limits: kMaxDescription bytes of them.
std::string describe_call(std::string_view method, const Json& params);
inline constexpr std::size_t kMaxDescription = 200;

/// Checks the method and its parameters, then handles the call. `answer` is called exactly once.
void dispatch(MethodContext& context, const Call& call, Answer answer);

}  // namespace peer::control
