#include "libpeer/protocol/messages.h"

#include <nlohmann/json.hpp>

#include "libpeer/protocol/limits.h"
#include "libpeer/protocol/manifest.h"
#include "libpeer/protocol/path.h"
#include "libpeer/protocol/varint.h"

namespace peer::protocol {

namespace {

using nlohmann::json;

// Replaces invalid UTF-8 instead of throwing: such text is a bug of this side, and the receiver rejects it.
std::string dump(const json& document, int indent = -1) {
  return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

json summary_json(const GameSummary& game) {
  return {{"id", game.id},
          {"version", game.version.hex()},
          {"size", game.size},
          {"files", game.files},
          {"modified", game.modified}};
}

json games_json(const std::vector<GameSummary>& games) {
  json list = json::array();
  for (const GameSummary& game : games) list.push_back(summary_json(game));
  return list;
}

// A reason may be any text, such as a system error.
std::string reason_text(const std::string& reason) {
  const std::string shown = text_problem(reason) ? printable(reason) : reason;
  return std::string(clip(shown, kMaxReasonBytes));
}

struct MessageToJson {
  json operator()(const Hello& m) const {
    return {{"type", "hello"},        {"id", m.id.hex()},         {"name", m.name},         {"protocol", m.protocol},
            {"instance", m.instance}, {"addresses", m.addresses}, {"revision", m.revision}, {"digest", m.digest.hex()}};
  }
  json operator()(const LibraryRequest& m) const { return {{"type", "library_request"}, {"since", m.since}}; }
  json operator()(const LibraryUpdate& m) const {
    return {{"type", "library_update"}, {"base", m.base}, {"revision", m.revision},
            {"digest", m.digest.hex()}, {"last", m.last}, {"games", games_json(m.games)},
            {"removed", m.removed}};
  }
  json operator()(const Ping& m) const { return {{"type", "ping"}, {"nonce", m.nonce}}; }
  json operator()(const Pong& m) const { return {{"type", "pong"}, {"nonce", m.nonce}}; }
  json operator()(const Goodbye& m) const { return {{"type", "goodbye"}, {"reason", reason_text(m.reason)}}; }
  json operator()(const Refusal& m) const { return {{"type", "refusal"}, {"reason", reason_text(m.reason)}}; }
  json operator()(const PeerHints& m) const {
    json peers = json::array();
    for (const PeerHint& hint : m.peers) {
      peers.push_back({{"id", hint.id.hex()}, {"name", hint.name}, {"addresses", hint.addresses}});
    }
    return {{"type", "peers"}, {"peers", std::move(peers)}};
  }
  json operator()(const Holdings& m) const {
    json runs = json::array();
    for (const HeldRun& run : m.runs) runs.push_back(json::array({run.first, run.count}));
    return {{"type", "holdings"},
            {"game", m.game},
            {"version", m.version.hex()},
            {"chunks", m.chunks},
            {"ranges", std::move(runs)}};
  }
  json operator()(const HoldingsEnd& m) const {
    return {{"type", "holdings_end"}, {"game", m.game}, {"version", m.version.hex()}};
  }
};

constexpr std::uint8_t kDigestMagic[] = {'P', 'D', 'L', 'B', 1};

}  // namespace

std::string encode(const SessionMessage& message) { return dump(std::visit(MessageToJson{}, message)); }

Digest library_digest(const std::vector<GameSummary>& sorted_by_id) {
  std::vector<const GameSummary*> pointers;
  pointers.reserve(sorted_by_id.size());
  for (const GameSummary& game : sorted_by_id) pointers.push_back(&game);
  return library_digest_of(pointers);
}

Digest library_digest_of(std::span<const GameSummary* const> sorted_by_id) {
  std::vector<std::uint8_t> bytes(std::begin(kDigestMagic), std::end(kDigestMagic));
  put_varint(bytes, sorted_by_id.size());
  for (const GameSummary* game : sorted_by_id) {
    put_varint(bytes, game->id.size());
    bytes.insert(bytes.end(), game->id.begin(), game->id.end());
    bytes.insert(bytes.end(), game->version.bytes.begin(), game->version.bytes.end());
    put_varint(bytes, game->size);
    put_varint(bytes, game->files);
    put_int64(bytes, game->modified);
  }
  return hash(bytes);
}

std::string peer_document(const Hello& hello) {
  const json document = {{"peer_id", hello.id.hex()},   {"name", hello.name},           {"protocol", hello.protocol},
                         {"instance", hello.instance},  {"addresses", hello.addresses}, {"revision", hello.revision},
                         {"digest", hello.digest.hex()}};
  return dump(document, 2) + "\n";
}

std::string library_document(std::uint64_t revision, const std::vector<GameSummary>& games) {
  const json document = {{"revision", revision}, {"games", games_json(games)}};
  return dump(document, 2) + "\n";
}

// Writes text directly: a tree for a million files would need too much memory.
std::string to_json(const ManifestDocument& document, const Digest& version) {
  const Manifest& manifest = document.manifest;
  const ManifestTimes& times = document.times;
  std::string out = "{\"version\":\"" + version.hex() + "\",\"size\":" + std::to_string(manifest.total_size()) +
                    ",\"modified\":" + std::to_string(times.modified) + ",\"files\":[";
  const auto separate = [&](std::size_t index) { out += index == 0 ? "\n" : ",\n"; };
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const ManifestFile& file = manifest.files[i];
    separate(i);
    out += "{\"path\":" + dump(file.path) + ",\"size\":" + std::to_string(file.size);
    out += file.executable ? ",\"executable\":true" : ",\"executable\":false";
    if (i < times.file_times.size()) out += ",\"modified\":" + std::to_string(times.file_times[i]);
    out += ",\"chunks\":[";
    for (std::size_t c = 0; c < file.chunk_count(); ++c) {
      out += c == 0 ? "\"" : ",\"";
      out += manifest.chunks[file.first_chunk + c].hex() + "\"";
    }
    out += "]}";
  }
  out += "],\"directories\":[";
  for (std::size_t i = 0; i < manifest.directories.size(); ++i) {
    separate(i);
    out += dump(manifest.directories[i]);
  }
  out += "],\"symlinks\":[";
  for (std::size_t i = 0; i < manifest.symlinks.size(); ++i) {
    separate(i);
    out += "{\"path\":" + dump(manifest.symlinks[i].path) + ",\"target\":" + dump(manifest.symlinks[i].target) + "}";
  }
  out += "]}\n";
  return out;
}

}  // namespace peer::protocol
