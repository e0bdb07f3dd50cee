#include "libpeer/control/event_json.h"

#include "libpeer/control/json.h"

namespace peer::control {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

/// The fields besides `seq`, `time` and `event`; "peer" and "download" stand for the fields of those objects.
constexpr const char* kEvents = R"json([
  ["RuntimeReady", "The daemon has started", {}],
  ["RuntimeFailed", "A required service failed, and the daemon stops", {
    "component": {"type": "string"}, "error": {"type": "string"}}],
  ["ServiceRestarted", "A service failed and was restarted", {
    "component": {"type": "string"}, "error": {"type": "string"}, "restarts": {"type": "integer"}}],
  ["ShuttingDown", "The daemon is stopping; no further download events follow", {}],
  ["PeerDiscovered", "A peer was found and is not connected yet", "peer"],
  ["PeerConnected", "A peer is connected", "peer"],
  ["PeerLost", "A connected peer stopped responding", "peer"],
  ["PeerGoodbye", "A connected peer said goodbye", "peer"],
  ["PeerBanned", "A peer was banned by a user or for invalid data", {
    "peer_id": {"$ref": "#/components/schemas/Id"}, "name": {"type": "string"}, "reason": {"type": "string"}}],
  ["GamesUpdated", "The games that connected peers offer have changed", {}],
  ["LocalLibraryChanged", "The games that this peer offers have changed", {
    "added": {"type": "array", "items": {"type": "string"}},
    "removed": {"type": "array", "items": {"type": "string"}}}],
  ["DownloadGameFilesBegin", "A download has begun", "download"],
  ["DownloadGameFilesProgress", "The progress of a download, at most four times per second", "download"],
  ["DownloadGameFilesFinished", "A download's game is in the library", "download"],
  ["DownloadGameFilesFailed", "A download failed; `error` says why", "download"],
  ["DownloadGameFilesCancelled", "A download was cancelled", "download"],
  ["DownloadGameFilesAllPeersGone", "A download ended because no connected peer has the game any more", "download"],
  ["VerifyProgress", "The progress of a verify, at most four times per second", {
    "game": {"type": "string"},
    "version": {"$ref": "#/components/schemas/Id"},
    "bytes_total": {"type": "integer"},
    "bytes_done": {"type": "integer", "description": "that were compared"},
    "damaged_files": {"type": "integer", "description": "so far"},
    "repairing": {"type": "boolean", "description": "the comparison is complete, and the damaged files are being fetched"}}],
  ["overflow", "The client fell behind and receives no events until it subscribes again; `seq` is the last event that it received", {}]
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

}  // namespace

Json event_json(const api::Event& event, std::uint64_t sequence, std::int64_t time) {
  Json json{{"seq", sequence}, {"time", rfc3339(time)}, {"event", api::event_name(event)}};
  std::visit(Overloaded{
                 [&](const api::RuntimeFailed& e) {
                   json["component"] = e.component;
                   json["error"] = e.error;
                 },
                 [&](const api::ServiceRestarted& e) {
                   json["component"] = e.component;
                   json["error"] = e.error;
                   json["restarts"] = e.restarts;
                 },
                 [&](const api::PeerEvent& e) {
                   json["peer_id"] = e.id.hex();
                   json["name"] = e.name;
                   if (e.kind == api::PeerEvent::Kind::banned) json["reason"] = e.reason;
                 },
                 [&](const api::LocalLibraryChanged& e) {
                   json["added"] = e.added;
                   json["removed"] = e.removed;
                 },
                 [&](const api::DownloadEvent& e) { json.update(download_json(e.download)); },
                 [&](const api::VerifyEvent& e) {
                   json["game"] = e.game;
                   json["version"] = e.version.hex();
                   json["bytes_total"] = e.progress.bytes_total;
                   json["bytes_done"] = e.progress.bytes_done;
                   json["damaged_files"] = e.progress.damaged;
                   json["repairing"] = e.progress.repairing;
                 },
                 [](const auto&) {},
             },
             event);
  return json;
}

Json event_documents(const Json& schemas) {
  Json documents = Json::array();
  for (const Json& event : Json::parse(kEvents)) {
    documents.push_back(
        {{"name", event[0]}, {"summary", event[1]}, {"schema", event_schema(event[0], event[2], schemas)}});
  }
  return documents;
}

}  // namespace peer::control
