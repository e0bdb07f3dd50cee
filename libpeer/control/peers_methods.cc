// The methods peers.*.
#include "libpeer/control/json.h"
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

constexpr const char* kSchemas = R"json({
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
      "note": {"type": ["string", "null"], "description": "what brings it back"}}}
})json";

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json write_peer(const api::PeerInfo& peer) {
  return {{"peer_id", peer.id ? Json(peer.id->hex()) : Json()},
          {"name", peer.name},
          {"addresses", peer.addresses},
          {"state", api::to_string(peer.state)},
          {"reason", text_or_null(peer.reason)},
          {"paired", peer.paired},
          {"found_by", peer.found_by},
          {"games", peer.games},
          {"rtt_ms", number_or_null(peer.rtt_ms)},
          {"last_seen_s", number_or_null(peer.last_seen_s)}};
}

Json write_peers(const std::vector<api::PeerInfo>& peers) { return list_json("peers", peers, write_peer); }

Json write_disconnected(const api::Disconnected& end) {
  return {{"ok", true}, {"connected", end.connected}, {"dropped", end.dropped}, {"note", text_or_null(end.note)}};
}

Json write_pairing(const api::Pairing& pairing) {
  return {{"peer_id", pairing.id.hex()}, {"name", pairing.name}, {"note", text_or_null(pairing.note)}};
}

/// The method of a command whose only parameter is `peer`.
template <class C, class Write>
Method peer_method(const char* summary, const char* result, Write write) {
  return command_method<C>(summary, {{"peer", ParamKind::text, true}}, result, only_text<C>("peer"), write);
}

}  // namespace

MethodGroup peers_methods() {
  return {
      kSchemas,
      {command_method<api::ListPeers>("All peers known", {}, "Peers", no_params<api::ListPeers>, write_peers),
       command_method<api::ConnectPeer>("Adds a peer for this run and dials it; answers after the first attempt",
                                        {{"address", ParamKind::text, true}}, "Peer",
                                        only_text<api::ConnectPeer>("address"), write_peer),
       peer_method<api::DisconnectPeer>("Says goodbye to a peer, and dials it no more if peers.connect added it",
                                        "Disconnected", write_disconnected),
       peer_method<api::BanPeer>("Deals with a peer no more, by its id and over restarts", "Done", write_done),
       peer_method<api::UnbanPeer>("Lifts a ban", "Done", write_done),
       peer_method<api::PairPeer>(
           "Pairs a peer, by its id and over restarts: in paired mode those that both sides have paired are dealt with",
           "Pairing", write_pairing),
       peer_method<api::UnpairPeer>("Forgets a pairing; in paired mode the session with that peer ends", "Pairing",
                                    write_pairing)}};
}

}  // namespace peer::control
