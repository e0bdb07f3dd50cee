// call, shutdown.
#include <chrono>

#include "ctl/invocation.h"

namespace peer::ctl {

int run_call(Invocation& invocation) {
  Json params;
  if (!invocation.arguments.params.empty()) {
    params = Json::parse(invocation.arguments.params, nullptr, false);
    if (!params.is_structured()) return invocation.fail("invalid", "PARAMS must be a JSON object or array");
  }
  auto result = invocation.call(invocation.arguments.subject, params);
  if (!result) return invocation.fail(result.error());
  if (invocation.arguments.json) {
    invocation.print_json(*result);
  } else {
    invocation.print_text(result->dump(2, ' ', false, Json::error_handler_t::replace));
  }
  return kDone;
}

int run_shutdown(Invocation& invocation) {
  if (auto connected = invocation.connect(); !connected) return invocation.fail(connected.error());
  // The daemon may stop before it sends the answer; that is success too.
  const auto result = invocation.call("runtime.shutdown");
  if (!result && result.error().kind != CallFailure::Kind::no_daemon) return invocation.fail(result.error());
  while (result) {
    if (!invocation.client().next_event(std::chrono::milliseconds(1000))) break;
  }
  if (invocation.arguments.json) {
    invocation.print_json({{"ok", true}});
  } else {
    invocation.note("peerd stopped");
  }
  return kDone;
}

}  // namespace peer::ctl
