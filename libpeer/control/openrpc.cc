// The OpenRPC document: the methods as the table has them, what they answer and what events look like as JSON Schema.
#include "libpeer/control/method_table.h"

namespace peer::control {
namespace {

/// The objects are closed: a test compares what a daemon sends with this, so that nothing is sent that is not here.
constexpr const char* kSchemas = R"json({
  "Id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
  "Time": {"type": "string", "format": "date-time", "description": "RFC 3339, UTC"},
  "MissingRoots": {"type": "array", "description": "library roots that are not there or cannot be read; none: absent",
    "items": {"type": "object", "additionalProperties": false, "required": ["root", "reason"],
      "properties": {"root": {"type": "string"}, "reason": {"type": "string"}}}},
  "Rescanned": {"type": "object", "additionalProperties": false, "required": ["ok"], "properties": {
    "ok": {"const": true},
    "missing_roots": {"$ref": "#/components/schemas/MissingRoots"}}},
  "Done": {"type": "object", "additionalProperties": false, "required": ["ok"], "properties": {"ok": {"const": true}}},
  "Error": {"type": "object", "additionalProperties": false, "required": ["code", "message"], "properties": {
    "code": {"enum": ["no_such_game", "no_peer_has_it", "peers_gone", "cancelled", "refused", "no_space", "disk_error",
                      "unreachable", "busy", "invalid"]},
    "message": {"type": "string"}}},
  "Service": {"type": "object", "additionalProperties": false, "required": ["name", "policy", "state", "restarts"],
    "properties": {
      "name": {"enum": ["QuicServer", "Discovery", "Liveness", "LocalMonitor"]},
      "policy": {"enum": ["required", "restart", "best-effort"]},
      "state": {"enum": ["running", "restarting", "stopped", "failed"]},
      "restarts": {"type": "integer"},
      "problem": {"type": "string", "description": "why it does not do all it should"}}},
  "Status": {"type": "object", "additionalProperties": false,
    "required": ["peer_id", "access", "name", "version", "instance", "pid", "uptime_s", "listen", "services", "tasks", "peers",
                 "games", "downloads"],
    "properties": {
      "peer_id": {"$ref": "#/components/schemas/Id"},
      "access": {"enum": ["open", "party", "paired"]},
      "name": {"type": "string"},
      "version": {"type": "string", "description": "the program's"},
      "instance": {"type": "string", "description": "changes with every start"},
      "pid": {"type": "integer"},
      "uptime_s": {"type": "number"},
      "listen": {"type": "array", "items": {"type": "string"}, "description": "ip:port; empty while this machine does not have the address"},
      "services": {"type": "array", "items": {"$ref": "#/components/schemas/Service"}},
      "tasks": {"type": "integer", "description": "alive now"},
      "peers": {"type": "integer", "description": "connected"},
      "games": {"type": "integer", "description": "offered here"},
      "downloads": {"type": "integer", "description": "not over"},
      "missing_roots": {"$ref": "#/components/schemas/MissingRoots"}}},
  "LocalGame": {"type": "object", "additionalProperties": false,
    "required": ["version", "size", "files", "state", "modified", "root"],
    "properties": {
      "version": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}]},
      "size": {"type": "integer", "description": "bytes"},
      "files": {"type": ["integer", "null"], "description": "null: it is downloading, and nobody tells how many"},
      "state": {"enum": ["ready", "hashing", "downloading", "modified", "damaged", "unshareable"]},
      "modified": {"oneOf": [{"$ref": "#/components/schemas/Time"}, {"type": "null"}]},
      "root": {"type": "string", "description": "the library root that holds it"},
      "bytes_hashed": {"type": "integer", "description": "while it is hashing"},
      "bytes_verified": {"type": "integer", "description": "while it is being verified"},
      "verify_percent": {"type": "integer", "description": "while it is being verified"},
      "problems": {"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["path", "reason"],
        "properties": {"path": {"type": "string"}, "reason": {"type": "string"}}}}}},
  "RemoteVersion": {"type": "object", "additionalProperties": false,
    "required": ["version", "size", "files", "modified", "peers"],
    "properties": {
      "version": {"$ref": "#/components/schemas/Id"},
      "size": {"type": "integer"},
      "files": {"type": "integer"},
      "modified": {"$ref": "#/components/schemas/Time"},
      "peers": {"type": "array", "items": {"$ref": "#/components/schemas/Id"}}}},
  "Game": {"type": "object", "additionalProperties": false, "required": ["id", "local", "remote"], "properties": {
    "id": {"type": "string"},
    "local": {"oneOf": [{"$ref": "#/components/schemas/LocalGame"}, {"type": "null"}]},
    "remote": {"type": "array", "items": {"$ref": "#/components/schemas/RemoteVersion"}}}},
  "Games": {"type": "object", "additionalProperties": false, "required": ["games"], "properties": {
    "games": {"type": "array", "items": {"$ref": "#/components/schemas/Game"}},
    "missing_roots": {"$ref": "#/components/schemas/MissingRoots"}}},
  "GameDetails": {"type": "object", "additionalProperties": false,
    "required": ["id", "local", "remote", "version", "files_total", "files"],
    "properties": {
      "id": {"type": "string"},
      "local": {"oneOf": [{"$ref": "#/components/schemas/LocalGame"}, {"type": "null"}]},
      "remote": {"type": "array", "items": {"$ref": "#/components/schemas/RemoteVersion"}},
      "version": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}],
                  "description": "the one whose files are listed"},
      "files_total": {"type": "integer"},
      "files": {"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["path", "size", "executable"],
        "properties": {"path": {"type": "string"}, "size": {"type": "integer"}, "executable": {"type": "boolean"}}}}}},
  "Peer": {"type": "object", "additionalProperties": false,
    "required": ["peer_id", "name", "addresses", "state", "reason", "paired", "found_by", "games", "rtt_ms",
                 "last_seen_s"],
    "properties": {
      "peer_id": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}], "description": "null until known"},
      "name": {"type": "string"},
      "addresses": {"type": "array", "description": "ip:port",
                    "items": {"type": "string", "pattern": "^([0-9.]+|\\[[0-9a-fA-F:.]+(%[^\\]]+)?\\]):[0-9]+$"}},
      "state": {"enum": ["connected", "connecting", "unreachable", "refused", "banned"]},
      "reason": {"type": ["string", "null"], "description": "of a refusal, whichever side's"},
      "paired": {"type": "boolean", "description": "here; whether it is there as well, only a connection tells"},
      "found_by": {"type": "array", "items": {"enum": ["mdns", "static", "exchange", "inbound"]}},
      "games": {"type": "integer"},
      "rtt_ms": {"type": ["number", "null"]},
      "last_seen_s": {"type": ["number", "null"], "description": "seconds ago"}}},
  "Peers": {"type": "object", "additionalProperties": false, "required": ["peers"], "properties": {
    "peers": {"type": "array", "items": {"$ref": "#/components/schemas/Peer"}}}},
  "Pairing": {"type": "object", "additionalProperties": false, "required": ["peer_id", "name", "note"], "properties": {
    "peer_id": {"$ref": "#/components/schemas/Id"},
    "name": {"type": "string"},
    "note": {"type": ["string", "null"], "description": "what else it takes"}}},
  "Disconnected": {"type": "object", "additionalProperties": false, "required": ["ok", "connected", "dropped", "note"],
    "properties": {
      "ok": {"const": true},
      "connected": {"type": "boolean", "description": "it was, until now"},
      "dropped": {"type": "boolean", "description": "peers.connect had added it, and it is dialled no more"},
      "note": {"type": ["string", "null"], "description": "what brings it back"}}},
  "Download": {"type": "object", "additionalProperties": false,
    "required": ["game", "version", "state", "bytes_total", "bytes_done", "bytes_reused", "bytes_received", "rate",
                 "eta_s", "elapsed_s", "average_rate", "sources", "bottleneck", "error"],
    "properties": {
      "game": {"type": "string"},
      "version": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}],
                  "description": "null while it waits for a peer that names one"},
      "state": {"enum": ["queued", "downloading", "verifying", "paused", "finished", "failed", "cancelled",
                         "peers_gone"]},
      "bytes_total": {"type": "integer"},
      "bytes_done": {"type": "integer", "description": "reused and verified"},
      "bytes_reused": {"type": "integer", "description": "taken from what was here"},
      "bytes_received": {"type": "integer", "description": "chunk payload since it first began, waste included"},
      "rate": {"type": "number", "description": "bytes a second"},
      "eta_s": {"type": ["number", "null"]},
      "elapsed_s": {"type": "number", "description": "while it was active, since it first began, over restarts"},
      "average_rate": {"type": ["number", "null"], "description": "bytes a second, received during elapsed_s"},
      "sources": {"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["peer_id", "bytes"],
        "properties": {"peer_id": {"$ref": "#/components/schemas/Id"}, "bytes": {"type": "integer"}}}},
      "from": {"type": "array", "items": {"$ref": "#/components/schemas/Id"},
               "description": "the peers it is limited to; empty: any peer that has it"},
      "bottleneck": {"enum": ["network", "sender", "disk", "cpu", "limit", null]},
      "error": {"oneOf": [{"$ref": "#/components/schemas/Error"}, {"type": "null"}]},
      "dry_run": {"const": true, "description": "with this, what it would take: the four fields below too"},
      "bytes_to_receive": {"type": "integer"},
      "space_needed": {"type": "integer"},
      "space_available": {"type": "integer"},
      "reserve": {"type": "integer"}}},
  "Downloads": {"type": "object", "additionalProperties": false, "required": ["downloads"], "properties": {
    "downloads": {"type": "array", "items": {"$ref": "#/components/schemas/Download"}}}},
  "Verdict": {"type": "object", "additionalProperties": false,
    "required": ["game", "version", "damaged", "bytes", "repaired"],
    "properties": {
      "game": {"type": "string"},
      "version": {"$ref": "#/components/schemas/Id"},
      "damaged": {"type": "array", "items": {"type": "string"}, "description": "paths"},
      "bytes": {"type": "integer", "description": "compared"},
      "repaired": {"type": "boolean"}}},
  "Limits": {"type": "object", "additionalProperties": false, "required": ["up", "down"], "properties": {
    "up": {"type": "integer"}, "down": {"type": "integer"}}},
  "Subscription": {"type": "object", "additionalProperties": false, "required": ["seq", "oldest"], "properties": {
    "seq": {"type": "integer", "description": "the last event's number"},
    "oldest": {"type": "integer", "description": "of those kept"}}},
  "Unsubscribed": {"type": "object", "additionalProperties": false, "required": ["seq"], "properties": {
    "seq": {"type": "integer"}}},
  "Metrics": {"type": "object", "additionalProperties": false, "required": ["text"], "properties": {
    "text": {"type": "string", "description": "Prometheus's text format"}}},
  "Findings": {"type": "object", "additionalProperties": false, "required": ["findings"], "properties": {
    "findings": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["subject", "verdict", "text", "fix"],
      "properties": {
        "subject": {"type": "string"},
        "verdict": {"enum": ["good", "warning", "bad"]},
        "text": {"type": "string"},
        "fix": {"type": "string"}}}}}},
  "Tasks": {"type": "object", "additionalProperties": false, "required": ["tasks"], "properties": {
    "tasks": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["name", "parent"],
      "properties": {"name": {"type": "string"}, "parent": {"type": "string"}}}}}},
  "OpenRpc": {"type": "object", "required": ["openrpc", "info", "methods"]}
})json";

/// Beside `seq`, `time` and `event`. A download's events carry all of its fields.
constexpr const char* kEvents = R"json([
  ["RuntimeReady", "The daemon has started", {}],
  ["RuntimeFailed", "A required service failed: the daemon ends", {
    "component": {"type": "string"}, "error": {"type": "string"}}],
  ["ServiceRestarted", "A service failed and was started again", {
    "component": {"type": "string"}, "error": {"type": "string"}, "restarts": {"type": "integer"}}],
  ["ShuttingDown", "The daemon stops: of downloads nothing more is told", {}],
  ["PeerDiscovered", "A peer was found, and is not connected yet", "peer"],
  ["PeerConnected", "A peer is connected", "peer"],
  ["PeerLost", "A connected peer fell silent", "peer"],
  ["PeerGoodbye", "A connected peer said goodbye", "peer"],
  ["PeerBanned", "A peer was banned, by a person or for what it sent", {
    "peer_id": {"$ref": "#/components/schemas/Id"}, "name": {"type": "string"}, "reason": {"type": "string"}}],
  ["GamesUpdated", "What the network offers has changed", {}],
  ["LocalLibraryChanged", "What is offered here has changed", {
    "added": {"type": "array", "items": {"type": "string"}},
    "removed": {"type": "array", "items": {"type": "string"}}}],
  ["DownloadGameFilesBegin", "A download has begun", "download"],
  ["DownloadGameFilesProgress", "At most four times a second", "download"],
  ["DownloadGameFilesFinished", "A download's game is in the library", "download"],
  ["DownloadGameFilesFailed", "A download failed; `error` says why", "download"],
  ["DownloadGameFilesCancelled", "A download was cancelled", "download"],
  ["DownloadGameFilesAllPeersGone", "A download ended because nobody has the game any more", "download"],
  ["VerifyProgress", "How far a verify is; at most four times a second", {
    "game": {"type": "string"},
    "version": {"$ref": "#/components/schemas/Id"},
    "bytes_total": {"type": "integer"},
    "bytes_done": {"type": "integer", "description": "compared"},
    "damaged_files": {"type": "integer", "description": "so far"},
    "repairing": {"type": "boolean", "description": "all is compared, and what is damaged is being fetched"}}],
  ["overflow", "This reader fell behind and hears no more until it subscribes again; `seq` is the last it was given", {}]
])json";

Json event_schema(const std::string& name, const Json& fields, const Json& schemas) {
  Json properties{
      {"seq", {{"type", "integer"}}}, {"time", {{"$ref", "#/components/schemas/Time"}}}, {"event", {{"const", name}}}};
  Json required{"seq", "time", "event"};
  const auto add = [&](const Json& more) {
    for (const auto& [key, schema] : more.items()) required.push_back(key);
    properties.update(more);
  };
  if (fields == "download") {
    properties.update(schemas["Download"]["properties"]);
    for (const Json& key : schemas["Download"]["required"]) required.push_back(key);
  } else if (fields == "peer") {
    const Json& status = schemas["Status"]["properties"];
    add({{"peer_id", status["peer_id"]}, {"name", status["name"]}});
  } else {
    add(fields);
  }
  return {{"type", "object"},
          {"additionalProperties", false},
          {"required", std::move(required)},
          {"properties", std::move(properties)}};
}

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
  for (const Method& method : method_table()) methods.push_back(method_entry(method));
  Json schemas = Json::parse(kSchemas);
  // OpenRPC has no word for notifications.
  Json events = Json::array();
  for (const Json& event : Json::parse(kEvents)) {
    events.push_back(
        {{"name", event[0]}, {"summary", event[1]}, {"schema", event_schema(event[0], event[2], schemas)}});
  }
  return {{"openrpc", "1.2.6"},
          {"info", {{"title", "peerd control socket"}, {"version", version}}},
          {"methods", std::move(methods)},
          {"components", {{"schemas", std::move(schemas)}}},
          {"x-events", std::move(events)}};
}

}  // namespace

Json discover(const std::string& version) {
  static const Json document = make_document(version);  // the program's, so always the same
  return document;
}

}  // namespace peer::control
