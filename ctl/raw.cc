// call and shutdown.
#include <chrono>

#include "ctl/session.h"

namespace peer::ctl {

int run_call(Session& session) {
  Json params;
  if (!session.arguments.params.empty()) {
    params = Json::parse(session.arguments.params, nullptr, false);
    if (!params.is_structured()) return session.fail("invalid", "PARAMS must be a JSON object or array");
  }
  auto result = session.call(session.arguments.subject, params);
  if (!result) return session.fail(result.error());
  if (session.arguments.json) {
    session.print(*result);
  } else {
    session.say(result->dump(2, ' ', false, Json::error_handler_t::replace));
  }
  return kDone;
}

int run_shutdown(Session& session) {
  if (auto connected = session.connect(); !connected) return session.fail(connected.error());
  // The daemon may be gone before its answer is: that is what was asked for.
  const auto result = session.call("runtime.shutdown");
  if (!result && result.error().kind != CallFailure::Kind::no_daemon) return session.fail(result.error());
  while (result) {
    if (!session.client().next_event(std::chrono::milliseconds(1000))) break;
  }
  if (session.arguments.json) {
    session.print({{"ok", true}});
  } else {
    session.note("peerd stopped");
  }
  return kDone;
}

}  // namespace peer::ctl
