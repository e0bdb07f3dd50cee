#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "ctl/session.h"
#include "ctl/terminal.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

std::string brief(const Json& version) { return version.is_string() ? version.get<std::string>().substr(0, 12) : "-"; }

std::string local_state(const Json& local) {
  std::string text = local.value("state", "");
  const double size = local.value("size", 0.0);
  if (text == "hashing" && size > 0) {
    text += " " + std::to_string(static_cast<int>(local.value("bytes_hashed", 0.0) / size * 100)) + " %";
  }
  if (local.contains("verify_percent")) {
    const std::string verifying = "verifying " + std::to_string(local.value("verify_percent", 0)) + " %";
    text = text == "ready" ? verifying : text + ", " + verifying;
  }
  if (const auto problems = local.find("problems"); problems != local.end() && !problems->empty()) {
    text += ", " + std::to_string(problems->size()) + (problems->size() == 1 ? " problem" : " problems");
  }
  return text;
}

/// How far a verify is, on a line that is redrawn where a person watches.
class VerifyDisplay {
 public:
  explicit VerifyDisplay(const Session& session)
      : game_(session.arguments.subject),
        drawing_(isatty(STDERR_FILENO) != 0 && !session.arguments.json && !session.arguments.quiet) {
    shown_.game = game_;
  }

  void take(const Json& event) {
    if (event.value("game", "") != game_) return;
    shown_.total = event.value("bytes_total", 0.0);
    shown_.done = event.value("bytes_done", 0.0);
    shown_.damaged = event.value("damaged_files", std::size_t{0});
    shown_.repairing = event.value("repairing", false);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    shown_.rate = seconds > 0.5 ? shown_.done / seconds : 0;
    if (!drawing_) return;
    // Nothing in the last column: there some terminals go on to the next line.
    std::fprintf(stderr, "\r%s\x1b[K", verify_line(shown_, page_of(STDERR_FILENO).width - 1).c_str());
    drawn_ = true;
  }
  void end() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
  }
  const Comparison& shown() const noexcept { return shown_; }

 private:
  const std::string game_;
  const bool drawing_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Comparison shown_;
  bool drawn_ = false;
};

/// Ctrl-C: the daemon stops comparing when the connection closes; a repair that has begun is a download and goes on.
int verify_interrupted(const Session& session, const Comparison& shown) {
  const std::string game = word(session.arguments.subject);
  if (shown.repairing) {
    return session.fail("interrupted", "detached; the repair goes on: peerctl download " + game +
                                           " follows it, peerctl cancel " + game + " ends it");
  }
  const std::string share = shown.total > 0 ? " at " + percent(shown.done, shown.total) : "";
  return session.fail("interrupted",
                      "the verify of " + game + " is stopped" + share + "; peerctl verify " + game + " begins it anew");
}

/// A row a version: the one here first.
void add_rows(Table& table, const Json& game) {
  const std::string id = game.at("id");
  const Json& local = game.at("local");
  const Json none = Json::array();
  std::string here_version;
  if (!local.is_null()) {
    here_version = local.at("version").is_string() ? local.at("version").get<std::string>() : "";
    const auto same =
        std::ranges::find_if(game.at("remote"), [&](const Json& r) { return r.at("version") == here_version; });
    const std::size_t peers = same == game.at("remote").end() ? 0 : same->at("peers").size();
    table.row({{id},
               {brief(local.at("version"))},
               {human_bytes(local.value("size", 0.0))},
               {local.at("files").is_null() ? "-" : local.at("files").dump()},
               {local_state(local), tone_of(local.value("state", ""))},
               {std::to_string(peers)}});
  }
  for (const Json& remote : game.at("remote")) {
    if (remote.at("version") == here_version) continue;
    table.row({{id},
               {brief(remote.at("version"))},
               {human_bytes(remote.value("size", 0.0))},
               {remote.at("files").dump()},
               {"-"},
               {std::to_string(remote.at("peers").size())}});
  }
}

Table table_of_games() {
  return Table({{"GAME", false, true},
                {"VERSION", false, false, 2},
                {"SIZE", true},
                {"FILES", true, false, 3},
                {"HERE", false, true},
                {"PEERS", true, false, 1}});
}

std::string details(const Json& game, const Page& page) {
  Table table = table_of_games();
  add_rows(table, game);
  std::string text = table.text(page);
  if (const Json& local = game.at("local"); !local.is_null()) {
    if (local.contains("root")) text += "\nlies in " + plain(local.at("root").get<std::string>()) + "\n";
    for (const Json& problem : local.value("problems", Json::array())) {
      text += "problem: " + plain(problem.value("path", "")) + ": " + plain(problem.value("reason", "")) + "\n";
    }
  }
  if (game.at("version").is_string()) {
    text += "\nfiles of version " + brief(game.at("version")) + ":\n";
    Table files({{"SIZE", true}, {""}, {"PATH"}});
    for (const Json& file : game.at("files")) {
      files.row({{human_bytes(file.at("size").get<double>())},
                 {file.value("executable", false) ? "x" : ""},
                 {file.at("path").get<std::string>()}});
    }
    text += files.text({.colour = page.colour});
  }
  return text;
}

}  // namespace

int run_games(Session& session) {
  auto result = session.call("games.list");
  if (!result) return session.fail(result.error());
  Json kept = Json::array();
  for (Json& game : result->at("games")) {
    if (session.arguments.local && game.at("local").is_null()) continue;
    if (session.arguments.remote && game.at("remote").empty()) continue;
    kept.push_back(std::move(game));
  }
  if (session.arguments.json) {
    (*result)["games"] = std::move(kept);
    session.print(*result);
    return kDone;
  }
  if (std::string missing = missing_roots(*result); !missing.empty()) {
    missing.pop_back();
    session.note(missing);
  }
  if (kept.empty()) {
    session.note("no games");
    return kDone;
  }
  Table table = table_of_games();
  for (const Json& game : kept) add_rows(table, game);
  session.say(table);
  return kDone;
}

int run_show(Session& session) {
  Json params{{"game", session.arguments.subject}};
  if (session.arguments.version) params["version"] = *session.arguments.version;
  auto game = session.call("games.show", params);
  if (!game) return session.fail(game.error());
  // The rest comes page by page, of the version that the first page showed.
  while (game->at("files").size() < game->at("files_total").get<std::size_t>()) {
    params["version"] = game->at("version");
    params["offset"] = game->at("files").size();
    params["limit"] = 10'000;
    auto page = session.call("games.show", params);
    if (!page) return session.fail(page.error());
    if (page->at("files").empty()) break;
    for (Json& file : page->at("files")) game->at("files").push_back(std::move(file));
  }
  if (session.arguments.json) {
    session.print(*game);
  } else {
    session.say(details(*game, session.page()));
  }
  return kDone;
}

int run_remove(Session& session) {
  return session.show("games.remove", {{"game", session.arguments.subject}},
                      [&](const Json&) { return plain(session.arguments.subject) + " is removed"; });
}

int run_verify(Session& session) {
  const std::string game = plain(session.arguments.subject);
  Json params{{"game", session.arguments.subject}};
  if (session.arguments.repair) params["repair"] = true;
  if (session.arguments.rate) params["rate"] = *session.arguments.rate;
  session.catch_interrupts();
  VerifyDisplay display(session);
  // A daemon that does not know these events verifies all the same.
  const auto watching = session.call("events.subscribe", {{"only", {"VerifyProgress", "RuntimeFailed"}}});
  if (!watching && watching.error().kind != CallFailure::Kind::refused) return session.fail(watching.error());
  session.client().on_event([&display](const Json& event) { display.take(event); });
  auto verdict = session.call("library.verify", params);
  display.end();
  if (!verdict && verdict.error().kind == CallFailure::Kind::interrupted) {
    return verify_interrupted(session, display.shown());
  }
  if (!verdict) return session.fail(verdict.error());
  const Json& damaged = verdict->at("damaged");
  const bool good = damaged.empty() || verdict->at("repaired") == true;
  if (session.arguments.json) {
    session.print(*verdict);
  } else if (damaged.empty()) {
    session.say(game + ": every file is as it should be, " + human_bytes(verdict->at("bytes").get<double>()));
  } else {
    for (const Json& path : damaged) session.say("damaged: " + plain(path.get<std::string>()));
    const std::string count = std::to_string(damaged.size()) + (damaged.size() == 1 ? " file" : " files");
    session.say(
        game + ": " + count +
        (good ? " repaired"
              : " damaged; to fetch what is wrong: peerctl verify " + word(session.arguments.subject) + " --repair"));
  }
  return good ? kDone : kFailed;
}

int run_rescan(Session& session) {
  const std::string& game = session.arguments.subject;
  const bool publish = session.arguments.publish;
  Json params = game.empty() ? Json() : Json{{"game", game}};
  if (publish) params["publish"] = true;
  return session.show("library.rescan", params, [&](const Json& answer) {
    const std::string missing = missing_roots(answer);
    if (!missing.empty()) return missing.substr(0, missing.size() - 1);
    return game.empty() ? "the library is scanned"
                        : plain(game) + (publish ? " is offered as it is now" : " is scanned");
  });
}

}  // namespace peer::ctl
