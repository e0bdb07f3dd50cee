#include "libpeer/control/openrpc.h"

#include "libpeer/control/client_methods.h"
#include "libpeer/control/event_json.h"
#include "libpeer/control/methods.h"

namespace peer::control {
namespace {

/// The schemas that several methods share. Objects are closed: a test compares what a daemon sends with this document,
/// so every field that is sent must be listed here.
constexpr const char* kCommonSchemas = R"json({
  "Id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
  "Time": {"type": "string", "format": "date-time", "description": "RFC 3339, UTC"},
  "MissingRoots": {"type": "array", "description": "library roots that do not exist or cannot be read; absent if there are none",
    "items": {"type": "object", "additionalProperties": false, "required": ["root", "reason"],
      "properties": {"root": {"type": "string"}, "reason": {"type": "string"}}}},
  "Rescanned": {"type": "object", "additionalProperties": false, "required": ["ok"], "properties": {
    "ok": {"const": true},
    "missing_roots": {"$ref": "#/components/schemas/MissingRoots"}}},
  "Done": {"type": "object", "additionalProperties": false, "required": ["ok"], "properties": {"ok": {"const": true}}},
  "Error": {"type": "object", "additionalProperties": false, "required": ["code", "message"], "properties": {
    "code": {"enum": ["no_such_game", "no_peer_has_it", "peers_gone", "cancelled", "refused", "no_space", "disk_error",
                      "unreachable", "busy", "invalid"]},
    "message": {"type": "string"}}}
})json";

constexpr const char* kOwnSchema = R"json({
  "OpenRpc": {"type": "object", "required": ["openrpc", "info", "methods"]}
})json";

Json method_entry(const Method& method) {
  Json params = Json::array();
  for (const Param& param : method.params) {
    params.push_back({{"name", param.name}, {"required", param.required}, {"schema", schema_of(param.kind)}});
  }
  const std::string result = std::string("#/components/schemas/") + method.result;
  return {{"name", method.name},
          {"summary", method.summary},
          {"paramStructure", "either"},
          {"params", std::move(params)},
          {"result", {{"name", method.result}, {"schema", {{"$ref", result}}}}}};
}

Json make_document(const std::string& version) {
  Json methods = Json::array();
  Json schemas = Json::parse(kCommonSchemas);
  for (const MethodGroup& group : method_groups()) {
    schemas.update(Json::parse(group.schemas));
    for (const Method& method : group.methods) methods.push_back(method_entry(method));
  }
  Json events = event_documents(schemas);
  // OpenRPC has no place for notifications, so events are listed in an extension.
  return {{"openrpc", "1.2.6"},
          {"info", {{"title", "peerd control socket"}, {"version", version}}},
          {"methods", std::move(methods)},
          {"components", {{"schemas", std::move(schemas)}}},
          {"x-events", std::move(events)}};
}

}  // namespace

Json openrpc_document(const std::string& version) {
  static const Json document = make_document(version);  // the version of the program never changes
  return document;
}

MethodGroup openrpc_methods() {
  auto discover = [](MethodContext& context, const Json&, Answer answer) { answer(openrpc_document(context.version)); };
  return {kOwnSchema, {{kDiscover.name, "Returns this document", {}, "OpenRpc", discover}}};
}

}  // namespace peer::control
