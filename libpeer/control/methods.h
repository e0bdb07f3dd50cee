// The table of methods: each JSON-RPC call as a typed command, and its answer as JSON.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/control/rpc.h"

namespace peer::control {

/// Hands a command to the peer; false when it takes no more. The command's reply comes on the control loop.
using SendCommand = std::function<bool(api::Command)>;

/// Takes a call's answer, once; perhaps before dispatch() returns.
using Answer = std::function<void(RpcResult)>;

/// What a method may use of the connection it came in on.
struct MethodContext {
  const SendCommand& send;
  const std::string& version;  ///< the program's
  /// Both answer with the hub's numbers.
  std::function<Json(std::optional<std::uint64_t> since, std::vector<std::string> only)> subscribe;
  std::function<Json()> unsubscribe;
  /// Requested when the client is gone: nobody reads the answer.
  runtime::CancellationToken gone;
};

/// Checks method and parameters and sees to it that `answer` is called.
void dispatch(MethodContext& context, const Call& call, Answer answer);

/// The OpenRPC document of all methods.
Json discover(const std::string& version);

}  // namespace peer::control
