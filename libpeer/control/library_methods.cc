// The methods library.* and limits.*.
#include "libpeer/control/json.h"
#include "libpeer/control/method.h"

namespace peer::control {
namespace {

constexpr const char* kSchemas = R"json({
  "Verdict": {"type": "object", "additionalProperties": false,
    "required": ["game", "version", "damaged", "bytes", "repaired"],
    "properties": {
      "game": {"type": "string"},
      "version": {"$ref": "#/components/schemas/Id"},
      "damaged": {"type": "array", "items": {"type": "string"}, "description": "paths"},
      "bytes": {"type": "integer", "description": "that were compared"},
      "repaired": {"type": "boolean"}}},
  "Limits": {"type": "object", "additionalProperties": false, "required": ["up", "down"], "properties": {
    "up": {"type": "integer"}, "down": {"type": "integer"}}}
})json";

Json write_verdict(const api::Verdict& verdict) {
  return {{"game", verdict.game},
          {"version", verdict.version.hex()},
          {"damaged", verdict.damaged},
          {"bytes", verdict.bytes},
          {"repaired", verdict.repaired}};
}

void verify_game(MethodContext& context, const Json& params, Answer answer) {
  api::VerifyGame command;
  command.game = *text_of(params, "game");
  command.repair = flag_of(params, "repair");
  command.rate = count_of(params, "rate").value_or(0);
  command.abandoned = context.gone;
  send_command(context, std::move(command), std::move(answer), write_verdict);
}

api::SetLimits read_limits(const Json& params) { return {count_of(params, "up"), count_of(params, "down")}; }

Json write_limits(const api::Limits& limits) { return {{"up", limits.up}, {"down", limits.down}}; }

api::Rescan read_rescan(const Json& params) { return {text_of(params, "game"), flag_of(params, "publish")}; }

Json write_rescanned(const std::vector<library::Problem>& missing_roots) {
  Json json = write_done(true);
  add_missing_roots(json, missing_roots);
  return json;
}

}  // namespace

MethodGroup library_methods() {
  return {kSchemas,
          {{api::VerifyGame::kMethod,
            "Compares every file of an installed game with the hashes of its version; answers when the comparison is "
            "complete; "
            "stops if the connection closes before",
            {{"game", ParamKind::text, true}, {"repair", ParamKind::flag}, {"rate", ParamKind::count}},
            "Verdict",
            verify_game},
           command_method<api::GetLimits>("Returns the limits on chunk payload in bytes per second; 0: no limit", {},
                                          "Limits", no_params<api::GetLimits>, write_limits),
           command_method<api::SetLimits>("Sets limits until the next restart; an omitted limit stays as it is",
                                          {{"up", ParamKind::count}, {"down", ParamKind::count}}, "Limits", read_limits,
                                          write_limits),
           command_method<api::Rescan>("Scans one game, or all, or makes a changed game a version of its own; answers "
                                       "when every scanned game is hashed or "
                                       "found unshareable",
                                       {{"game", ParamKind::text}, {"publish", ParamKind::flag}}, "Rescanned",
                                       read_rescan, write_rescanned)}};
}

}  // namespace peer::control
