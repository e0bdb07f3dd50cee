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
      "peer_id": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}], "description": "null until the peer has proven one"},
      "name": {"type": "string"},
      "addresses": {"type": "array", "description": "ip:port",
                    "items": {"type": "string", "pattern": "^([0-9.]+|\\[[0-9a-fA-F:.]+(%[^\\]]+)?\\]):[0-9]+$"}},
      "state": {"enum": ["connected", "connecting", "unreachable", "refused", "banned"]},
      "reason": {"type": ["string", "null"], "description": "why one of the two peers refused the other"},
      "paired": {"type": "boolean", "description": "on this side; only a connection shows whether the other side agrees"},
      "found_by": {"type": "array", "items": {"enum": ["mdns", "static", "exchange", "inbound"]}},
      "games": {"type": "integer"},
      "rtt_ms": {"type": ["number", "null"]},
      "last_seen_s": {"type": ["number", "null"], "description": "seconds ago"}}},
  "Peers": {"type": "object", "additionalProperties": false, "required": ["peers"], "properties": {
    "peers": {"type": "array", "items": {"$ref": "#/components/schemas/Peer"}}}},
  "Pairing": {"type": "object", "additionalProperties": false, "required": ["peer_id", "name", "note"], "properties": {
    "peer_id": {"$ref": "#/components/schemas/Id"},
    "name": {"type": "string"},
    "note": {"type": ["string", "null"], "description": "what else has to be done"}}},
  "Disconnected": {"type": "object", "additionalProperties": false, "required": ["ok", "connected", "dropped", "note"],
    "properties": {
      "ok": {"const": true},
      "connected": {"type": "boolean", "description": "there was a session, which has ended"},
      "dropped": {"type": "boolean", "description": "peers.connect had added the peer; it is no longer dialed"},
      "note": {"type": ["string", "null"], "description": "what connects it again"}}}
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
  return {kSchemas,
          {command_method<api::ListPeers>("Lists all known peers", {}, "Peers", no_params<api::ListPeers>, write_peers),
           command_method<api::ConnectPeer>(
               "Adds a peer until the next restart and dials it; answers after the first attempt",
               {{"address", ParamKind::text, true}}, "Peer", only_text<api::ConnectPeer>("address"), write_peer),
           peer_method<api::DisconnectPeer>(
               "Ends the session with a peer, and no longer dials it if peers.connect added it", "Disconnected",
               write_disconnected),
           peer_method<api::BanPeer>("Bans a peer by its id, also after a restart", "Done", write_done),
           peer_method<api::UnbanPeer>("Lifts a ban", "Done", write_done),
           peer_method<api::PairPeer>("Pairs a peer by its id, also after a restart; in paired mode a peer accepts "
                                      "only peers that both sides have paired",
                                      "Pairing", write_pairing),
           peer_method<api::UnpairPeer>("Removes a pairing; in paired mode this ends the session with that peer",
                                        "Pairing", write_pairing)}};
}

}  // namespace peer::control
