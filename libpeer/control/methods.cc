#include "libpeer/control/methods.h"

#include "libpeer/control/client_methods.h"

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

std::string describe_call(std::string_view method, const Json& params) {
  std::string text(method);
  for (const Json& value : params) {
    if (text.size() > kMaxDescription) break;
    if (value.is_string()) text += " " + value.get_ref<const std::string&>();
    if (value.is_number() || value.is_boolean()) text += " " + value.dump();
  }
  if (text.size() > kMaxDescription) text = text.substr(0, kMaxDescription) + "...";
  return text;
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
  // To unsubscribe changes nothing but the connection, even if it cannot be repeated.
  const bool changes = !is_repeatable(method->name) && method->name != kUnsubscribe.name;
  if (changes && context.log_change) context.log_change(method->name, *params);
  method->handler(context, *params, std::move(answer));
}

}  // namespace peer::control
