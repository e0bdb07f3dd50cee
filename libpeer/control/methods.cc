#include "libpeer/control/methods.h"

#include <algorithm>
#include <chrono>

#include "libpeer/base/nearest.h"
#include "libpeer/control/client_events.h"
#include "libpeer/control/events.h"
#include "libpeer/control/json.h"
#include "libpeer/control/method_table.h"

namespace peer::control {
namespace {

constexpr std::uint64_t kMaxFilesShown = 10'000;
constexpr double kLongestWait = 365.0 * 24 * 3600;

Json limits_json(const api::Limits& limits) { return {{"up", limits.up}, {"down", limits.down}}; }
Json done(bool) { return {{"ok", true}}; }
Json download_json(const api::DownloadInfo& download) { return to_json(download); }

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
  if (!context.send(api::Request<C>{std::move(command), std::move(reply)})) {
    answer(std::unexpected(RpcError{kOwnError, "too many commands are waiting: try again", ErrorCode::busy}));
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
  api::StartDownload command;
  command.game = *text_of(params, "game");
  command.version = version_of(params, "version");
  command.from = texts_of(params, "from");
  command.dry_run = flag_of(params, "dry_run");
  if (const auto wait = seconds_of(params, "wait_s")) {
    const std::chrono::duration<double> seconds(std::min(*wait, kLongestWait));
    command.wait = std::chrono::duration_cast<runtime::Duration>(seconds);
  }
  ask(context, std::move(command), std::move(answer), download_json);
}

void verify_game(MethodContext& context, const Json& params, Answer answer) {
  api::VerifyGame command;
  command.game = *text_of(params, "game");
  command.repair = flag_of(params, "repair");
  command.rate = count_of(params, "rate").value_or(0);
  command.abandoned = context.gone;
  ask(context, std::move(command), std::move(answer), [](const api::Verdict& verdict) {
    return Json{{"game", verdict.game},
                {"version", verdict.version.hex()},
                {"damaged", verdict.damaged},
                {"bytes", verdict.bytes},
                {"repaired", verdict.repaired}};
  });
}

void show_game(MethodContext& context, const Json& params, Answer answer) {
  api::ShowGame command;
  command.game = *text_of(params, "game");
  command.version = version_of(params, "version");
  command.offset = count_of(params, "offset").value_or(0);
  command.limit = std::min(count_of(params, "limit").value_or(1000), kMaxFilesShown);
  ask(context, std::move(command), std::move(answer), [](const api::GameDetails& details) { return to_json(details); });
}

#if PEERD_TEST_HOOKS
void fail_service(MethodContext& context, const Json& params, Answer answer) {
  api::FailService command;
  command.service = *text_of(params, "service");
  const std::string how = *text_of(params, "how");
  if (how == "throw") {
    command.how = api::ServiceFault::throws;
  } else if (how == "hang") {
    command.how = api::ServiceFault::hangs;
  } else if (how == "end") {
    command.how = api::ServiceFault::ends;
  } else {
    return answer(invalid_params("how must be throw, hang or end"));
  }
  ask(context, std::move(command), std::move(answer), done);
}
#endif

std::string unknown_event(const std::string& name) {
  std::string message = "there is no event \"" + name + "\"";
  if (const auto guess = nearest(name, kEventNames)) return message + ": did you mean \"" + *guess + "\"?";
  message += "; the events are ";
  for (const std::string_view each : kEventNames) {
    if (each != kEventNames.front()) message += ", ";
    message += each;
  }
  return message;
}

void subscribe(MethodContext& context, const Json& params, Answer answer) {
  std::vector<std::string> only = texts_of(params, "only");
  for (const std::string& name : only) {
    if (!EventHub::known(name)) return answer(invalid_params(unknown_event(name)));
  }
  answer(context.subscribe(count_of(params, "since"), std::move(only)));
}

}  // namespace

const std::vector<Method>& method_table() {
  using Ctx = MethodContext;
  static const std::vector<Method> table{
      {"status",
       "How the daemon is",
       {},
       "Status",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, api::GetStatus{}, std::move(a),
             [version = c.version](const api::Status& s) { return to_json(s, version); });
       }},
      {"games.list",
       "All games, here and on the network",
       {},
       "Games",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, api::ListGames{}, std::move(a), [](const api::GameList& list) {
           Json json = list_as<api::GameInfo>("games")(list);
           add_missing_roots(json, list.missing_roots);
           return json;
         });
       }},
      {"games.show",
       "One game with its files",
       {{"game", Kind::text, true}, {"version", Kind::version}, {"offset", Kind::count}, {"limit", Kind::count}},
       "GameDetails",
       show_game},
      {"games.remove",
       "Deletes a game of the first library root, or what a download of it has received",
       {{"game", Kind::text, true}},
       "Done",
       [](Ctx& c, const Json& p, Answer a) { ask(c, api::RemoveGame{*text_of(p, "game")}, std::move(a), done); }},
      {"peers.list",
       "All peers known",
       {},
       "Peers",
       [](Ctx& c, const Json&, Answer a) { ask(c, api::ListPeers{}, std::move(a), list_as<api::PeerInfo>("peers")); }},
      {"peers.connect",
       "Adds a peer for this run and dials it; answers after the first attempt",
       {{"address", Kind::text, true}},
       "Peer",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::ConnectPeer{*text_of(p, "address")}, std::move(a),
             [](const api::PeerInfo& peer) { return to_json(peer); });
       }},
      {"peers.disconnect",
       "Says goodbye to a peer, and dials it no more if peers.connect added it",
       {{"peer", Kind::text, true}},
       "Disconnected",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::DisconnectPeer{*text_of(p, "peer")}, std::move(a),
             [](const api::Disconnected& end) { return to_json(end); });
       }},
      {"peers.ban",
       "Deals with a peer no more, by its id and over restarts",
       {{"peer", Kind::text, true}},
       "Done",
       [](Ctx& c, const Json& p, Answer a) { ask(c, api::BanPeer{*text_of(p, "peer")}, std::move(a), done); }},
      {"peers.unban",
       "Lifts a ban",
       {{"peer", Kind::text, true}},
       "Done",
       [](Ctx& c, const Json& p, Answer a) { ask(c, api::UnbanPeer{*text_of(p, "peer")}, std::move(a), done); }},
      {"peers.pair",
       "Pairs a peer, by its id and over restarts: in paired mode those that both sides have paired are dealt with",
       {{"peer", Kind::text, true}},
       "Pairing",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::PairPeer{*text_of(p, "peer")}, std::move(a),
             [](const api::Pairing& pairing) { return to_json(pairing); });
       }},
      {"peers.unpair",
       "Forgets a pairing; in paired mode the session with that peer ends",
       {{"peer", Kind::text, true}},
       "Pairing",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::UnpairPeer{*text_of(p, "peer")}, std::move(a),
             [](const api::Pairing& pairing) { return to_json(pairing); });
       }},
      {"downloads.start",
       "Begins the download of a game, or attaches to the one under way, whose wait is the longest that was brought; "
       "answers when it is queued",
       {{"game", Kind::text, true},
        {"version", Kind::version},
        {"from", Kind::texts},
        {"dry_run", Kind::flag},
        {"wait_s", Kind::seconds}},
       "Download",
       start_download},
      {"downloads.list",
       "All downloads that are not over, and the latest that are",
       {},
       "Downloads",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, api::ListDownloads{}, std::move(a), list_as<api::DownloadInfo>("downloads"));
       }},
      {"downloads.pause",
       "Holds a download where it is, also over restarts; answers when it has come to rest",
       {{"game", Kind::text, true}},
       "Download",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::PauseDownload{*text_of(p, "game")}, std::move(a), download_json);
       }},
      {"downloads.resume",
       "Lets a paused download go on; begins one again that failed or lost all its peers, on top of what it received",
       {{"game", Kind::text, true}},
       "Download",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::ResumeDownload{*text_of(p, "game")}, std::move(a), download_json);
       }},
      {"downloads.move",
       "Puts a download at a place in the queue, counted from 1; those that run go on",
       {{"game", Kind::text, true}, {"position", Kind::count, true}},
       "Download",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::MoveDownload{*text_of(p, "game"), *count_of(p, "position")}, std::move(a), download_json);
       }},
      {"downloads.cancel",
       "Ends a download, if it has not ended by itself, and deletes what it has received",
       {{"game", Kind::text, true}},
       "Done",
       [](Ctx& c, const Json& p, Answer a) { ask(c, api::CancelDownload{*text_of(p, "game")}, std::move(a), done); }},
      {"library.verify",
       "Compares every file of an installed game with its version's hashes; answers when that is done, and stops when "
       "the connection is closed first",
       {{"game", Kind::text, true}, {"repair", Kind::flag}, {"rate", Kind::count}},
       "Verdict",
       verify_game},
      {"limits.get",
       "The limits on chunk payload, bytes a second; 0: none",
       {},
       "Limits",
       [](Ctx& c, const Json&, Answer a) { ask(c, api::GetLimits{}, std::move(a), limits_json); }},
      {"limits.set",
       "Changes the limits for this run; what is left out stays",
       {{"up", Kind::count}, {"down", Kind::count}},
       "Limits",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::SetLimits{count_of(p, "up"), count_of(p, "down")}, std::move(a), limits_json);
       }},
      {"library.rescan",
       "Looks at one game, or all, anew, or makes a changed game a version of its own; answers when each has its "
       "verdict",
       {{"game", Kind::text}, {"publish", Kind::flag}},
       "Rescanned",
       [](Ctx& c, const Json& p, Answer a) {
         ask(c, api::Rescan{text_of(p, "game"), flag_of(p, "publish")}, std::move(a),
             [](const std::vector<library::Problem>& missing) {
               Json json = done(true);
               add_missing_roots(json, missing);
               return json;
             });
       }},
      {"events.subscribe",
       "Sends events on this connection from now on, after the kept ones that follow `since`",
       {{"since", Kind::count}, {"only", Kind::texts}},
       "Subscription",
       subscribe},
      {"events.unsubscribe",
       "Sends no more events",
       {},
       "Unsubscribed",
       [](Ctx& c, const Json&, Answer a) { a(c.unsubscribe()); }},
      {"metrics",
       "Figures for Prometheus, in its text format",
       {},
       "Metrics",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, api::GetMetrics{}, std::move(a), [](const std::string& text) { return Json{{"text", text}}; });
       }},
      {"doctor",
       "Looks at what has to be right on this machine; writes and deletes 64 MiB in the first library root",
       {},
       "Findings",
       [](Ctx& c, const Json&, Answer a) { ask(c, api::Diagnose{}, std::move(a), list_as<api::Finding>("findings")); }},
      {"runtime.tasks",
       "Every task that is alive",
       {},
       "Tasks",
       [](Ctx& c, const Json&, Answer a) {
         ask(c, api::ListTasks{}, std::move(a), [](const std::vector<api::TaskInfo>& tasks) {
           Json list = Json::array();
           for (const api::TaskInfo& task : tasks) list.push_back({{"name", task.name}, {"parent", task.parent}});
           return Json{{"tasks", std::move(list)}};
         });
       }},
      {"runtime.shutdown",
       "Stops the daemon cleanly",
       {},
       "Done",
       [](Ctx& c, const Json&, Answer a) { ask(c, api::Shutdown{}, std::move(a), done); }},
#if PEERD_TEST_HOOKS
      {"debug.fail",
       "Makes a service fail where it stands; only in test builds",
       {{"service", Kind::text, true}, {"how", Kind::text, true}},
       "Done",
       fail_service},
#endif
      {"rpc.discover", "This document", {}, "OpenRpc", [](Ctx& c, const Json&, Answer a) { a(discover(c.version)); }},
  };
  return table;
}

void dispatch(MethodContext& context, const Call& call, Answer answer) {
  if (call.error) return answer(std::unexpected(*call.error));
  const auto method = std::ranges::find_if(method_table(), [&](const Method& m) { return call.method == m.name; });
  if (method == method_table().end()) {
    return answer(
        std::unexpected(RpcError{kMethodNotFound, "there is no method '" + call.method + "'", ErrorCode::invalid}));
  }
  const RpcResult params = checked_params(method->name, method->params, call.params);
  if (!params) return answer(std::unexpected(params.error()));
  method->handler(context, *params, std::move(answer));
}

}  // namespace peer::control
