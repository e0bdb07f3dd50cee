// The method status.
#include <unistd.h>

#include "libpeer/control/json.h"
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

constexpr const char* kSchemas = R"json({
  "Service": {"type": "object", "additionalProperties": false, "required": ["name", "policy", "state", "restarts"],
    "properties": {
      "name": {"enum": ["QuicServer", "Discovery", "Liveness", "LocalMonitor"]},
      "policy": {"enum": ["required", "restart", "best-effort"]},
      "state": {"enum": ["running", "restarting", "stopped", "failed"]},
      "restarts": {"type": "integer"},
      "problem": {"type": "string", "description": "what does not work, and what to do"}}},
  "Status": {"type": "object", "additionalProperties": false,
    "required": ["peer_id", "access", "name", "version", "instance", "pid", "uptime_s", "listen", "services", "tasks", "peers",
                 "games", "downloads"],
    "properties": {
      "peer_id": {"$ref": "#/components/schemas/Id"},
      "access": {"enum": ["open", "party", "paired"]},
      "name": {"type": "string"},
      "version": {"type": "string", "description": "of the program"},
      "instance": {"type": "string", "description": "changes at each start"},
      "pid": {"type": "integer"},
      "uptime_s": {"type": "number"},
      "listen": {"type": "array", "items": {"type": "string"}, "description": "ip:port; empty while this machine does not have the address"},
      "services": {"type": "array", "items": {"$ref": "#/components/schemas/Service"}},
      "tasks": {"type": "integer", "description": "running now"},
      "peers": {"type": "integer", "description": "connected"},
      "games": {"type": "integer", "description": "offered by this peer"},
      "downloads": {"type": "integer", "description": "that have not ended"},
      "missing_roots": {"$ref": "#/components/schemas/MissingRoots"}}}
})json";

Json write_status(const api::Status& status, const std::string& version) {
  Json services = Json::array();
  for (const api::ServiceStatus& service : status.services) {
    services.push_back(
        {{"name", service.name}, {"policy", service.policy}, {"state", service.state}, {"restarts", service.restarts}});
    if (!service.problem.empty()) services.back()["problem"] = service.problem;
  }
  Json json{{"peer_id", status.peer_id.hex()},
            {"access", access::to_string(status.access)},
            {"name", status.name},
            {"version", version},
            {"instance", status.instance},
            {"pid", getpid()},
            {"uptime_s", rounded(status.uptime_s)},
            {"listen", status.listen},
            {"services", std::move(services)},
            {"tasks", status.tasks},
            {"peers", status.peers},
            {"games", status.games},
            {"downloads", status.downloads}};
  add_missing_roots(json, status.missing_roots);
  return json;
}

void get_status(MethodContext& context, const Json&, Answer answer) {
  const auto write = [version = context.version](const api::Status& status) { return write_status(status, version); };
  send_command(context, api::GetStatus{}, std::move(answer), write);
}

}  // namespace

MethodGroup status_methods() {
  return {kSchemas,
          {{api::GetStatus::kMethod, "The state of the daemon and of its services", {}, "Status", get_status}}};
}

}  // namespace peer::control
