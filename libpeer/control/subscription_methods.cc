// The methods events.*, which change the subscription of the connection that they arrive on.
#include "libpeer/base/nearest.h"
#include "libpeer/control/client_events.h"
#include "libpeer/control/client_methods.h"
#include "libpeer/control/events.h"
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

constexpr const char* kSchemas = R"json({
  "Subscription": {"type": "object", "additionalProperties": false, "required": ["seq", "oldest"], "properties": {
    "seq": {"type": "integer", "description": "the number of the last event"},
    "oldest": {"type": "integer", "description": "the number of the oldest kept event"}}},
  "Unsubscribed": {"type": "object", "additionalProperties": false, "required": ["seq"], "properties": {
    "seq": {"type": "integer"}}}
})json";

std::string unknown_event(const std::string& name) {
  std::string message = "there is no event \"" + name + "\"";
  if (const auto guess = nearest(name, kEventNames)) return message + ": did you mean \"" + *guess + "\"?";
  message += "; the events are ";
  for (const std::string_view each : kEventNames) {
    if (each != kEventNames.front()) message += ", ";
    message += each;
  }
  return message;
}

void subscribe(MethodContext& context, const Json& params, Answer answer) {
  std::vector<std::string> only = texts_of(params, "only");
  for (const std::string& name : only) {
    if (!EventHub::known(name)) return answer(invalid_params(unknown_event(name)));
  }
  answer(context.subscribe(count_of(params, "since"), std::move(only)));
}

void unsubscribe(MethodContext& context, const Json&, Answer answer) { answer(context.unsubscribe()); }

}  // namespace

MethodGroup subscription_methods() {
  return {kSchemas,
          {{kSubscribe.name,
            "Sends events on this connection from now on, after the kept events that follow `since`",
            {{"since", ParamKind::count}, {"only", ParamKind::texts}},
            "Subscription",
            subscribe},
           {kUnsubscribe.name, "Stops sending events", {}, "Unsubscribed", unsubscribe}}};
}

}  // namespace peer::control
