// A method of the control socket: its parameters, and how a call of it becomes a command and the reply JSON.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/control/params.h"
#include "libpeer/control/rpc.h"
#include "libpeer/control/send_command.h"

namespace peer::control {

/// Receives the result of a call, exactly once, possibly before dispatch() returns.
using Answer = std::function<void(RpcResult)>;

/// What a method may use of the connection that its call came from.
struct MethodContext {
  const SendCommand& send;
  const std::string& version;  ///< the program's
  /// Both return the result of the method of that name.
  std::function<Json(std::optional<std::uint64_t> since, std::vector<std::string> only)> subscribe;
  std::function<Json()> unsubscribe;
  /// Called before a method that changes something, with its checked parameters.
  std::function<void(std::string_view method, const Json& params)> log_change;
  /// Requested when the client disconnects, because the answer is then not needed.
  runtime::CancellationToken gone;
};

/// Handles a call whose parameters have been checked.
using MethodHandler = std::function<void(MethodContext&, const Json& params, Answer)>;

struct Method {
  std::string_view name;
  const char* summary;
  std::vector<Param> params;
  const char* result;  ///< the name of the schema of its answer
  MethodHandler handler;
};

/// The methods of one subject, and the schemas of their answers as the text of a JSON object.
struct MethodGroup {
  const char* schemas;
  std::vector<Method> methods;
};

/// Sends `command`. Answers with what `write` makes of its reply, or with its error.
template <class C, class Write>
void send_command(MethodContext& context, C command, Answer answer, Write write) {
  auto reply = [answer, write](Result<typename C::Reply> result) {
    if (result) {
      answer(write(*result));
    } else {
      answer(std::unexpected(to_rpc(result.error())));
    }
  };
  if (!context.send(api::Request<C>{std::move(command), std::move(reply)})) {
    answer(std::unexpected(RpcError{kOwnError, "too many commands are waiting: try again", ErrorCode::busy}));
  }
}

/// The method of command C: `read` makes the command from the parameters, `write` makes JSON from the reply.
template <class C, class Read, class Write>
Method command_method(const char* summary, std::vector<Param> params, const char* result, Read read, Write write) {
  auto handler = [read, write](MethodContext& context, const Json& given, Answer answer) {
    send_command(context, C(read(given)), std::move(answer), write);
  };
  return {C::kMethod, summary, std::move(params), result, std::move(handler)};
}

/// The `read` of a command without parameters.
template <class C>
C no_params(const Json&) {
  return C{};
}

/// The `read` of a command whose only parameter is a text.
template <class C>
auto only_text(const char* name) {
  return [name](const Json& params) { return C{*text_of(params, name)}; };
}

/// The `write` of a command whose reply reports only success.
inline Json write_done(bool) { return {{"ok", true}}; }

/// Makes {"NAME":[...]} from a list, with `write` for each entry.
template <class Values, class Write>
Json list_json(const char* name, const Values& values, Write write) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(write(value));
  return {{name, std::move(list)}};
}

MethodGroup status_methods();
MethodGroup games_methods();
MethodGroup peers_methods();
MethodGroup downloads_methods();
MethodGroup library_methods();
MethodGroup subscription_methods();
MethodGroup runtime_methods();
MethodGroup openrpc_methods();

}  // namespace peer::control
