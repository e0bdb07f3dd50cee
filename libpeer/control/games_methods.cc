// The methods games.*.
#include <algorithm>

#include "libpeer/control/json.h"
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

constexpr std::uint64_t kMaxFilesShown = 10'000;
constexpr std::uint64_t kDefaultFilesShown = 1000;

constexpr const char* kSchemas = R"json({
  "LocalGame": {"type": "object", "additionalProperties": false,
    "required": ["version", "size", "files", "state", "modified", "root"],
    "properties": {
      "version": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}]},
      "size": {"type": "integer", "description": "bytes"},
      "files": {"type": ["integer", "null"], "description": "null while it is downloading and no connected peer offers the version"},
      "state": {"enum": ["ready", "hashing", "downloading", "modified", "damaged", "unshareable"]},
      "modified": {"oneOf": [{"$ref": "#/components/schemas/Time"}, {"type": "null"}]},
      "root": {"type": "string", "description": "the library root that contains it"},
      "bytes_hashed": {"type": "integer", "description": "while its files are hashed"},
      "bytes_verified": {"type": "integer", "description": "while its files are verified"},
      "verify_percent": {"type": "integer", "description": "while its files are verified"},
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
                  "description": "the version that the files belong to"},
      "files_total": {"type": "integer"},
      "files": {"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["path", "size", "executable"],
        "properties": {"path": {"type": "string"}, "size": {"type": "integer"}, "executable": {"type": "boolean"}}}}}}
})json";

Json write_local(const library::LocalGame& game) {
  Json json{{"version", nullptr},  {"size", game.size},
            {"files", game.files}, {"state", library::to_string(game.state)},
            {"modified", nullptr}, {"root", game.root}};
  // The number of files is unknown while no connected peer offers the version.
  if (game.state == library::GameState::downloading && game.files == 0) json["files"] = nullptr;
  if (game.offered) {
    json["version"] = game.offered->version.hex();
    if (game.offered->document) json["modified"] = rfc3339(game.offered->document->times.modified);
  }
  if (game.state == library::GameState::hashing) json["bytes_hashed"] = game.bytes_hashed;
  if (!game.problems.empty()) {
    Json& problems = json["problems"] = Json::array();
    for (const library::Problem& problem : game.problems) {
      problems.push_back({{"path", problem.path}, {"reason", problem.reason}});
    }
  }
  return json;
}

Json write_game(const api::GameInfo& game) {
  Json local = game.local ? write_local(*game.local) : Json();
  if (game.local && game.verifying) {
    const api::VerifyProgress& progress = *game.verifying;
    local["bytes_verified"] = progress.bytes_done;
    local["verify_percent"] = progress.bytes_total > 0 ? progress.bytes_done * 100 / progress.bytes_total : 0;
  }
  Json remote = Json::array();
  for (const api::RemoteVersion& version : game.remote) {
    remote.push_back({{"version", version.version.hex()},
                      {"size", version.size},
                      {"files", version.files},
                      {"modified", rfc3339(version.modified)},
                      {"peers", hex_list(version.peers)}});
  }
  return {{"id", game.id}, {"local", std::move(local)}, {"remote", std::move(remote)}};
}

Json write_games(const api::GameList& list) {
  Json json = list_json("games", list, write_game);
  add_missing_roots(json, list.missing_roots);
  return json;
}

api::ShowGame read_show(const Json& params) {
  api::ShowGame command;
  command.game = *text_of(params, "game");
  command.version = version_of(params, "version");
  command.offset = count_of(params, "offset").value_or(0);
  command.limit = std::min(count_of(params, "limit").value_or(kDefaultFilesShown), kMaxFilesShown);
  return command;
}

Json write_details(const api::GameDetails& details) {
  Json json = write_game(details.game);
  json["version"] = details.version == Digest{} ? Json() : Json(details.version.hex());
  json["files_total"] = details.files_total;
  Json& files = json["files"] = Json::array();
  for (const api::GameFile& file : details.files) {
    files.push_back({{"path", file.path}, {"size", file.size}, {"executable", file.executable}});
  }
  return json;
}

}  // namespace

MethodGroup games_methods() {
  return {kSchemas,
          {command_method<api::ListGames>("Lists all games of this library and of connected peers", {}, "Games",
                                          no_params<api::ListGames>, write_games),
           command_method<api::ShowGame>("Shows one game with its files",
                                         {{"game", ParamKind::text, true},
                                          {"version", ParamKind::version},
                                          {"offset", ParamKind::count},
                                          {"limit", ParamKind::count}},
                                         "GameDetails", read_show, write_details),
           command_method<api::RemoveGame>(
               "Deletes a game of the first library root, or the bytes that a download of it has received",
               {{"game", ParamKind::text, true}}, "Done", only_text<api::RemoveGame>("game"), write_done)}};
}

}  // namespace peer::control
