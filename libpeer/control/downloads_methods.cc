// The methods downloads.*.
#include <algorithm>
#include <chrono>

#include "libpeer/control/json.h"
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

/// Longer waits are shortened to this one, which fits into a runtime::Duration.
constexpr double kLongestWaitS = 365.0 * 24 * 3600;

constexpr const char* kSchemas = R"json({
  "Download": {"type": "object", "additionalProperties": false,
    "required": ["game", "version", "state", "bytes_total", "bytes_done", "bytes_reused", "bytes_received", "rate",
                 "eta_s", "elapsed_s", "average_rate", "sources", "bottleneck", "error"],
    "properties": {
      "game": {"type": "string"},
      "version": {"oneOf": [{"$ref": "#/components/schemas/Id"}, {"type": "null"}],
                  "description": "null while it waits for a peer that offers one"},
      "state": {"enum": ["queued", "downloading", "verifying", "paused", "finished", "failed", "cancelled",
                         "peers_gone"]},
      "bytes_total": {"type": "integer"},
      "bytes_done": {"type": "integer", "description": "reused, or received and verified"},
      "bytes_reused": {"type": "integer", "description": "found on this disk"},
      "bytes_received": {"type": "integer", "description": "chunk payload since the download first began, waste included"},
      "rate": {"type": "number", "description": "bytes per second"},
      "eta_s": {"type": ["number", "null"]},
      "elapsed_s": {"type": "number", "description": "time spent active since the download first began, also before restarts"},
      "average_rate": {"type": ["number", "null"], "description": "bytes per second, received during elapsed_s"},
      "sources": {"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["peer_id", "bytes"],
        "properties": {"peer_id": {"$ref": "#/components/schemas/Id"}, "bytes": {"type": "integer"}}}},
      "from": {"type": "array", "items": {"$ref": "#/components/schemas/Id"},
               "description": "the only peers to fetch from; empty: any peer that has the game"},
      "bottleneck": {"enum": ["network", "sender", "disk", "cpu", "limit", null]},
      "error": {"oneOf": [{"$ref": "#/components/schemas/Error"}, {"type": "null"}]},
      "dry_run": {"const": true, "description": "nothing was begun; the next four fields say what the download would take"},
      "bytes_to_receive": {"type": "integer"},
      "space_needed": {"type": "integer"},
      "space_available": {"type": "integer"},
      "reserve": {"type": "integer"}}},
  "Downloads": {"type": "object", "additionalProperties": false, "required": ["downloads"], "properties": {
    "downloads": {"type": "array", "items": {"$ref": "#/components/schemas/Download"}}}}
})json";

api::StartDownload read_start(const Json& params) {
  api::StartDownload command;
  command.game = *text_of(params, "game");
  command.version = version_of(params, "version");
  command.from = texts_of(params, "from");
  command.dry_run = flag_of(params, "dry_run");
  if (const auto wait = seconds_of(params, "wait_s")) {
    const std::chrono::duration<double> seconds(std::min(*wait, kLongestWaitS));
    command.wait = std::chrono::duration_cast<runtime::Duration>(seconds);
  }
  return command;
}

api::MoveDownload read_move(const Json& params) { return {*text_of(params, "game"), *count_of(params, "position")}; }

Json write_downloads(const std::vector<api::DownloadInfo>& downloads) {
  return list_json("downloads", downloads, download_json);
}

/// The method of a command whose only parameter is `game`.
template <class C, class Write>
Method game_method(const char* summary, const char* result, Write write) {
  return command_method<C>(summary, {{"game", ParamKind::text, true}}, result, only_text<C>("game"), write);
}

}  // namespace

MethodGroup downloads_methods() {
  return {kSchemas,
          {command_method<api::StartDownload>("Begins the download of a game, or attaches to the active one, which "
                                              "then keeps the longest wait; answers when the "
                                              "download is queued",
                                              {{"game", ParamKind::text, true},
                                               {"version", ParamKind::version},
                                               {"from", ParamKind::texts},
                                               {"dry_run", ParamKind::flag},
                                               {"wait_s", ParamKind::seconds}},
                                              "Download", read_start, download_json),
           command_method<api::ListDownloads>("Lists the downloads that have not ended, and the latest that have", {},
                                              "Downloads", no_params<api::ListDownloads>, write_downloads),
           game_method<api::PauseDownload>("Pauses a download, also after a restart; answers when it has stopped",
                                           "Download", download_json),
           game_method<api::ResumeDownload>("Resumes a paused download, or restarts one that failed or lost all its "
                                            "peers, with the bytes that it has received",
                                            "Download", download_json),
           command_method<api::MoveDownload>(
               "Moves a download to a position in the queue, counted from 1; running downloads continue",
               {{"game", ParamKind::text, true}, {"position", ParamKind::count, true}}, "Download", read_move,
               download_json),
           game_method<api::CancelDownload>(
               "Cancels a download, also one that failed, and deletes the bytes that it has received", "Done",
               write_done)}};
}

}  // namespace peer::control
