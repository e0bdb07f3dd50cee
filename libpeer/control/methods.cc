#include "libpeer/control/methods.h"

namespace peer::control {
namespace {

const Method* find_method(const std::string& name) {
  for (const MethodGroup& group : method_groups()) {
    for (const Method& method : group.methods) {
      if (name == method.name) return &method;
    }
  }
  return nullptr;
}

}  // namespace

const std::vector<MethodGroup>& method_groups() {
  static const std::vector<MethodGroup> groups{status_methods(),    games_methods(),   peers_methods(),
                                               downloads_methods(), library_methods(), subscription_methods(),
                                               runtime_methods(),   openrpc_methods()};
  return groups;
}

void dispatch(MethodContext& context, const Call& call, Answer answer) {
  if (call.error) return answer(std::unexpected(*call.error));
  const Method* method = find_method(call.method);
  if (method == nullptr) {
    return answer(
        std::unexpected(RpcError{kMethodNotFound, "there is no method '" + call.method + "'", ErrorCode::invalid}));
  }
  const RpcResult params = checked_params(call.method, method->params, call.params);
  if (!params) return answer(std::unexpected(params.error()));
  method->handler(context, *params, std::move(answer));
}

}  // namespace peer::control
