#include "control/methods.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "control/events.h"
#include "control/json.h"

namespace peer::control {
namespace {

enum class Kind { text, texts, count, seconds, flag };

struct Param {
  const char* name;
  Kind kind;
  bool required = false;
};

/// Parameters are checked against the table before the handler reads them.
using Handler = void (*)(MethodContext&, const Json& params, Answer);

struct Method {
  const char* name;
  const char* summary;
  std::vector<Param> params;
  const char* result;  ///< what the answer's fields are, for people
  Handler handler;
};

constexpr std::uint64_t kMaxFilesShown = 10'000;
constexpr double kLongestWait = 365.0 * 24 * 3600;

std::optional<std::string> text_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::nullopt : std::optional(found->get<std::string>());
}

std::optional<std::uint64_t> count_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::nullopt : std::optional(found->get<std::uint64_t>());
}

bool flag_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found != params.end() && found->get<bool>();
}

std::vector<std::string> texts_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  return found == params.end() ? std::vector<std::string>{} : found->get<std::vector<std::string>>();
}

Json limits_json(const node::Limits& limits) { return {{"up", limits.up}, {"down", limits.down}}; }
Json done(bool) { return {{"ok", true}}; }
Json download_json(const node::DownloadInfo& download) { return to_json(download); }

/// Sends the command; its reply, made JSON by `convert`, is the answer.
template <class C, class Convert>
void ask(MethodContext& context, C command, Answer answer, Convert convert) {
  auto reply = [answer, convert](Result<typename C::Reply> result) {
    if (result) {
      answer(convert(*result));
    } else {
      answer(std::unexpected(to_rpc(result.error())));
    }
  };
  if (!context.send(node::Request<C>{std::move(command), std::move(reply)})) {
    answer(std::unexpected(
        RpcError{kOwnError, "the daemon takes no commands now: it is stopping, or has too many waiting", "busy"}));
  }
}

/// {"games":[...]} and the like.
template <class T>
auto list_as(const char* name) {
  return [name](const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(to_json(value));
    return Json{{name, std::move(list)}};
  };
}

void start_download(MethodContext& context, const Json& params, Answer answer) {
  node::StartDownload command;
  command.game = *text_of(params, "game");
  command.version = text_of(params, "version");
  command.from = texts_of(params, "from");
  command.dry_run = flag_of(params, "dry_run");
  if (const auto wait = params.find("wait_s"); wait != params.end()) {
    const double seconds = std::min(wait->get<double>(), kLongestWait);
    command.wait = std::chrono::duration_cast<rt::Duration>(std::chrono::duration<double>(seconds));
  }
  ask(context, std::move(command), std::move(answer), download_json);
}

void verify_game(MethodContext& context, const Json& params, Answer answer) {
  node::VerifyGame command;
  command.game = *text_of(params, "game");
  command.repair = flag_of(params, "repair");
  command.rate = count_of(params, "rate").value_or(0);
  ask(context, std::move(command), std::move(answer), [](const node::Verdict& verdict) {
    return Json{{"game", verdict.game},
                {"version", verdict.version.hex()},
                {"damaged", verdict.damaged},
                {"bytes", verdict.bytes},
                {"repaired", verdict.repaired}};
  });
}

void show_game(MethodContext& context, const Json& params, Answer answer) {
  node::ShowGame command;
  command.game = *text_of(params, "game");
  command.version = text_of(params, "version");
  command.offset = count_of(params, "offset").value_or(0);
  command.limit = std::min(count_of(params, "limit").value_or(1000), kMaxFilesShown);
  ask(context, std::move(command), std::move(answer),
      [](const node::GameDetails& details) { return to_json(details); });
}

#if PEERD_TEST_HOOKS
void fail_service(MethodContext& context, const Json& params, Answer answer) {
  node::FailService command;
  command.service = *text_of(params, "service");
  const std::string how = *text_of(params, "how");
  if (how == "throw") {
    command.how = node::ServiceFault::throws;
  } else if (how == "hang") {
    command.how = node::ServiceFault::hangs;
  } else if (how == "end") {
    command.how = node::ServiceFault::ends;
  } else {
    return answer(invalid_params("how must be throw, hang or end"));
  }
  ask(context, std::move(command), std::move(answer), done);
}
#endif

void subscribe(MethodContext& context, const Json& params, Answer answer) {
  std::vector<std::string> only = texts_of(params, "only");
  for (const std::string& name : only) {
    if (!EventHub::known(name)) return answer(invalid_params("only: there is no event '" + name + "'"));
  }
  answer(context.subscribe(count_of(params, "since"), std::move(only)));
}

const std::vector<Method>& methods() {
  using Ctx = MethodContext;
  static const std::vector<Method> table{
      {"status",
       "How the daemon is",
       {},
       "the status",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::GetStatus{}, std::move(a),
             [version = c.version](const node::Status& s) { return to_json(s, version); });
       }},
      {"games.list",
       "All games, here and on the network",
       {},
       "{games}",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::ListGames{}, std::move(a), list_as<node::GameInfo>("games"));
       }},
      {"games.show",
       "One game with its files",
       {{"game", Kind::text, true}, {"version", Kind::text}, {"offset", Kind::count}, {"limit", Kind::count}},
       "the game, with files_total and files",
       show_game},
      {"games.remove",
       "Deletes a game of the first library root, or what a download of it has received",
       {{"game", Kind::text, true}},
       "{ok}",
       [](Ctx& c, const Json& p, Answer a) { ask(c, node::RemoveGame{*text_of(p, "game")}, std::move(a), done); }},
      {"peers.list",
       "All peers known",
       {},
       "{peers}",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::ListPeers{}, std::move(a), list_as<node::PeerInfo>("peers"));
       }},
      {"peers.connect",
       "Adds a peer for this run and dials it; answers after the first attempt",
       {{"address", Kind::text, true}},
       "the peer",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, node::ConnectPeer{*text_of(p, "address")}, std::move(a),
             [](const node::PeerInfo& peer) { return to_json(peer); });
       }},
      {"peers.disconnect",
       "Says goodbye to a peer and forgets it",
       {{"peer", Kind::text, true}},
       "{ok}",
       [](Ctx& c, const Json& p, Answer a) { ask(c, node::DisconnectPeer{*text_of(p, "peer")}, std::move(a), done); }},
      {"peers.ban",
       "Deals with a peer no more, by its id and over restarts",
       {{"peer", Kind::text, true}},
       "{ok}",
       [](Ctx& c, const Json& p, Answer a) { ask(c, node::BanPeer{*text_of(p, "peer")}, std::move(a), done); }},
      {"peers.unban",
       "Lifts a ban",
       {{"peer", Kind::text, true}},
       "{ok}",
       [](Ctx& c, const Json& p, Answer a) { ask(c, node::UnbanPeer{*text_of(p, "peer")}, std::move(a), done); }},
      {"downloads.start",
       "Begins the download of a game, or attaches to it; answers when it is queued",
       {{"game", Kind::text, true},
        {"version", Kind::text},
        {"from", Kind::texts},
        {"dry_run", Kind::flag},
        {"wait_s", Kind::seconds}},
       "the download",
       start_download},
      {"downloads.list",
       "All downloads that are not over, and the latest that are",
       {},
       "{downloads}",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::ListDownloads{}, std::move(a), list_as<node::DownloadInfo>("downloads"));
       }},
      {"downloads.pause",
       "Holds a download where it is, also over restarts; answers when it has come to rest",
       {{"game", Kind::text, true}},
       "the download",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, node::PauseDownload{*text_of(p, "game")}, std::move(a), download_json);
       }},
      {"downloads.resume",
       "Lets a paused download go on",
       {{"game", Kind::text, true}},
       "the download",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, node::ResumeDownload{*text_of(p, "game")}, std::move(a), download_json);
       }},
      {"downloads.move",
       "Puts a download at a place in the queue, counted from 1; those that run go on",
       {{"game", Kind::text, true}, {"position", Kind::count, true}},
       "the download",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, node::MoveDownload{*text_of(p, "game"), *count_of(p, "position")}, std::move(a), download_json);
       }},
      {"downloads.cancel",
       "Ends a download and deletes what it has received",
       {{"game", Kind::text, true}},
       "{ok}",
       [](Ctx& c, const Json& p, Answer a) { ask(c, node::CancelDownload{*text_of(p, "game")}, std::move(a), done); }},
      {"library.verify",
       "Compares every file of an installed game with its version's hashes; answers when that is done",
       {{"game", Kind::text, true}, {"repair", Kind::flag}, {"rate", Kind::count}},
       "{game, version, damaged:[path], bytes, repaired}",
       verify_game},
      {"limits.get",
       "The limits on chunk payload, bytes a second; 0: none",
       {},
       "{up, down}",
       [](Ctx& c, const Json&, Answer a) { ask(c, node::GetLimits{}, std::move(a), limits_json); }},
      {"limits.set",
       "Changes the limits for this run; what is left out stays",
       {{"up", Kind::count}, {"down", Kind::count}},
       "{up, down}",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, node::SetLimits{count_of(p, "up"), count_of(p, "down")}, std::move(a), limits_json);
       }},
      {"library.rescan",
       "Looks at one game, or all, anew, or makes a changed game a version of its own; answers when each has its "
       "verdict",
       {{"game", Kind::text}, {"publish", Kind::flag}},
       "{ok}",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, node::Rescan{text_of(p, "game"), flag_of(p, "publish")}, std::move(a), done);
       }},
      {"events.subscribe",
       "Sends events on this connection from now on, after the kept ones that follow `since`",
       {{"since", Kind::count}, {"only", Kind::texts}},
       "{seq, oldest}: the last event's number, and the oldest one kept",
       subscribe},
      {"events.unsubscribe",
       "Sends no more events",
       {},
       "{seq}",
       [](Ctx& c, const Json&, Answer a) { a(c.unsubscribe()); }},
      {"metrics",
       "Figures for Prometheus, in its text format",
       {},
       "{text}",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::GetMetrics{}, std::move(a), [](const std::string& text) { return Json{{"text", text}}; });
       }},
      {"doctor",
       "Looks at what has to be right on this machine; writes and deletes 64 MiB in the first library root",
       {},
       "{findings:[{subject, verdict: good|warning|bad, text, fix}]}",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::Diagnose{}, std::move(a), list_as<node::Finding>("findings"));
       }},
      {"runtime.tasks",
       "Every task that is alive",
       {},
       "{tasks:[{name, parent}]}",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, node::ListTasks{}, std::move(a), [](const std::vector<node::TaskInfo>& tasks) {
           Json list = Json::array();
           for (const node::TaskInfo& task : tasks) list.push_back({{"name", task.name}, {"parent", task.parent}});
           return Json{{"tasks", std::move(list)}};
         });
       }},
      {"runtime.shutdown",
       "Stops the daemon cleanly",
       {},
       "{ok}",
       [](Ctx& c, const Json&, Answer a) { ask(c, node::Shutdown{}, std::move(a), done); }},
#if PEERD_TEST_HOOKS
      {"debug.fail",
       "Makes a service fail where it stands; only in test builds",
       {{"service", Kind::text, true}, {"how", Kind::text, true}},
       "{ok}",
       fail_service},
#endif
      {"rpc.discover",
       "This document",
       {},
       "an OpenRPC document",
       [](Ctx& c, const Json&, Answer a) { a(discover(c.version)); }},
  };
  return table;
}

bool fits(const Json& value, Kind kind) {
  switch (kind) {
    case Kind::text: return value.is_string() && !value.get_ref<const std::string&>().empty();
    case Kind::texts:
      return value.is_array() && std::ranges::all_of(value, [](const Json& v) { return fits(v, Kind::text); });
    case Kind::count:
      return value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    case Kind::flag: return value.is_boolean();
    case Kind::seconds: return value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= 0;
  }
  return false;
}

const char* describe(Kind kind) {
  switch (kind) {
    case Kind::text: return "a string that is not empty";
    case Kind::texts: return "an array of strings";
    case Kind::count: return "a whole number from 0";
    case Kind::flag: return "true or false";
    case Kind::seconds: return "a number of seconds from 0";
  }
  return "";
}

Json schema(Kind kind) {
  switch (kind) {
    case Kind::text: return {{"type", "string"}, {"minLength", 1}};
    case Kind::texts: return {{"type", "array"}, {"items", schema(Kind::text)}};
    case Kind::count: return {{"type", "integer"}, {"minimum", 0}};
    case Kind::flag: return {{"type", "boolean"}};
    case Kind::seconds: return {{"type", "number"}, {"minimum", 0}};
  }
  return {};
}

/// By name, checked; parameters by position are given their names. A null counts as left out.
RpcResult checked_params(const Method& method, const Json& given) {
  Json named = Json::object();
  if (given.is_array()) {
    if (given.size() > method.params.size())
      return invalid_params(std::string(method.name) + " takes fewer parameters");
    for (std::size_t i = 0; i < given.size(); ++i) named[method.params[i].name] = given[i];
  } else if (given.is_object()) {
    named = given;
  }
  Json params = Json::object();
  for (const auto& [name, value] : named.items()) {
    const auto param = std::ranges::find_if(method.params, [&](const Param& p) { return name == p.name; });
    if (param == method.params.end())
      return invalid_params(std::string(method.name) + " takes no parameter '" + name + "'");
    if (value.is_null()) continue;
    if (!fits(value, param->kind)) return invalid_params(name + " must be " + describe(param->kind));
    params[name] = value;
  }
  for (const Param& param : method.params) {
    if (param.required && !params.contains(param.name)) {
      return invalid_params(std::string(method.name) + " needs the parameter '" + param.name + "'");
    }
  }
  return params;
}

}  // namespace

void dispatch(MethodContext& context, const Call& call, Answer answer) {
  if (call.error) return answer(std::unexpected(*call.error));
  const auto method = std::ranges::find_if(methods(), [&](const Method& m) { return call.method == m.name; });
  if (method == methods().end()) {
    return answer(std::unexpected(RpcError{kMethodNotFound, "there is no method '" + call.method + "'", "invalid"}));
  }
  const RpcResult params = checked_params(*method, call.params);
  if (!params) return answer(std::unexpected(params.error()));
  method->handler(context, *params, std::move(answer));
}

Json discover(const std::string& version) {
  Json list = Json::array();
  for (const Method& method : methods()) {
    Json params = Json::array();
    for (const Param& param : method.params) {
      params.push_back({{"name", param.name}, {"required", param.required}, {"schema", schema(param.kind)}});
    }
    list.push_back(
        {{"name", method.name},
         {"summary", method.summary},
         {"paramStructure", "either"},
         {"params", std::move(params)},
         {"result", {{"name", "result"}, {"description", method.result}, {"schema", {{"type", "object"}}}}}});
  }
  return {{"openrpc", "1.2.6"},
          {"info", {{"title", "peerd control socket"}, {"version", version}}},
          {"methods", std::move(list)}};
}

}  // namespace peer::control
