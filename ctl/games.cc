// games, show, remove, verify, rescan: the library.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "ctl/invocation.h"
#include "ctl/terminal.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

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

/// Draws the progress of a verify on one line of the terminal.
class VerifyDisplay {
 public:
  explicit VerifyDisplay(const Invocation& invocation)
      : game_(invocation.arguments.subject),
        drawing_(isatty(STDERR_FILENO) != 0 && !invocation.arguments.json && !invocation.arguments.quiet) {
    shown_.game = game_;
  }

  void apply_event(const Json& event) {
    if (event.value("game", "") != game_) return;
    shown_.total = event.value("bytes_total", 0.0);
    shown_.done = event.value("bytes_done", 0.0);
    shown_.damaged = event.value("damaged_files", std::size_t{0});
    shown_.repairing = event.value("repairing", false);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    shown_.rate = seconds > 0.5 ? shown_.done / seconds : 0;
    if (!drawing_) return;
    // Leave the last column empty: some terminals wrap when it is written.
    std::fprintf(stderr, "\r%s\x1b[K", verify_line(shown_, page_of(STDERR_FILENO).width - 1).c_str());
    drawn_ = true;
  }
  void erase() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
  }
  const VerifyState& shown() const noexcept { return shown_; }

 private:
  const std::string game_;
  const bool drawing_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  VerifyState shown_;
  bool drawn_ = false;
};

/// Reports Ctrl-C. The daemon stops the verification when the connection closes; a repair that has begun is a
/// download and continues.
int verify_interrupted(const Invocation& invocation, const VerifyState& shown) {
  const std::string game = shell_word(invocation.arguments.subject);
  if (shown.repairing) {
    return invocation.fail("interrupted", "detached; the repair continues; to follow it: peerctl download " + game +
                                              "; to end it: peerctl cancel " + game);
  }
  const std::string share = shown.total > 0 ? " at " + percent(shown.done, shown.total) : "";
  return invocation.fail("interrupted", "verification stopped" + share + "; to start again: peerctl verify " + game);
}

/// Adds one row for each version, the local one first.
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
               {short_version(local.at("version"))},
               {human_bytes(local.value("size", 0.0))},
               {local.at("files").is_null() ? "-" : local.at("files").dump()},
               {local_state(local), tone_of(local.value("state", ""))},
               {std::to_string(peers)}});
  }
  for (const Json& remote : game.at("remote")) {
    if (remote.at("version") == here_version) continue;
    table.row({{id},
               {short_version(remote.at("version"))},
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
    if (local.contains("root")) text += "\nlibrary root: " + printable(local.at("root").get<std::string>()) + "\n";
    for (const Json& problem : local.value("problems", Json::array())) {
      text += "problem: " + printable(problem.value("path", "")) + ": " + printable(problem.value("reason", "")) + "\n";
    }
  }
  if (game.at("version").is_string()) {
    text += "\nfiles of version " + short_version(game.at("version")) + ":\n";
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

int run_games(Invocation& invocation) {
  auto result = invocation.call("games.list");
  if (!result) return invocation.fail(result.error());
  Json kept = Json::array();
  for (Json& game : result->at("games")) {
    if (invocation.arguments.games.local && game.at("local").is_null()) continue;
    if (invocation.arguments.games.remote && game.at("remote").empty()) continue;
    kept.push_back(std::move(game));
  }
  if (invocation.arguments.json) {
    (*result)["games"] = std::move(kept);
    invocation.print_json(*result);
    return kDone;
  }
  if (std::string missing = missing_roots(*result); !missing.empty()) {
    missing.pop_back();
    invocation.note(missing);
  }
  if (kept.empty()) {
    invocation.note("no games");
    return kDone;
  }
  Table table = table_of_games();
  for (const Json& game : kept) add_rows(table, game);
  invocation.print_text(table);
  return kDone;
}

int run_show(Invocation& invocation) {
  Json params{{"game", invocation.arguments.subject}};
  if (invocation.arguments.version) params["version"] = *invocation.arguments.version;
  auto game = invocation.call("games.show", params);
  if (!game) return invocation.fail(game.error());
  // Fetch the remaining pages, of the version that the first page showed.
  while (game->at("files").size() < game->at("files_total").get<std::size_t>()) {
    params["version"] = game->at("version");
    params["offset"] = game->at("files").size();
    params["limit"] = 10'000;
    auto page = invocation.call("games.show", params);
    if (!page) return invocation.fail(page.error());
    if (page->at("files").empty()) break;
    for (Json& file : page->at("files")) game->at("files").push_back(std::move(file));
  }
  if (invocation.arguments.json) {
    invocation.print_json(*game);
  } else {
    invocation.print_text(details(*game, invocation.page()));
  }
  return kDone;
}

int run_remove(Invocation& invocation) {
  return invocation.call_and_print("games.remove", {{"game", invocation.arguments.subject}},
                                   [&](const Json&) { return "removed " + printable(invocation.arguments.subject); });
}

int run_verify(Invocation& invocation) {
  const std::string game = printable(invocation.arguments.subject);
  Json params{{"game", invocation.arguments.subject}};
  if (invocation.arguments.verify.repair) params["repair"] = true;
  if (invocation.arguments.verify.rate) params["rate"] = *invocation.arguments.verify.rate;
  invocation.catch_interrupts();
  VerifyDisplay display(invocation);
  // An older daemon does not know these events, but can verify.
  const auto watching = invocation.call("events.subscribe", {{"only", {"VerifyProgress", "RuntimeFailed"}}});
  if (!watching && watching.error().kind != CallFailure::Kind::refused) return invocation.fail(watching.error());
  invocation.client().on_event([&display](const Json& event) { display.apply_event(event); });
  auto verdict = invocation.call("library.verify", params);
  display.erase();
  if (!verdict && verdict.error().kind == CallFailure::Kind::interrupted) {
    return verify_interrupted(invocation, display.shown());
  }
  if (!verdict) return invocation.fail(verdict.error());
  const Json& damaged = verdict->at("damaged");
  const bool good = damaged.empty() || verdict->at("repaired") == true;
  if (invocation.arguments.json) {
    invocation.print_json(*verdict);
  } else if (damaged.empty()) {
    invocation.print_text(game + ": no damage found, " + human_bytes(verdict->at("bytes").get<double>()) + " checked");
  } else {
    for (const Json& path : damaged) invocation.print_text("damaged: " + printable(path.get<std::string>()));
    const std::string count = std::to_string(damaged.size()) + (damaged.size() == 1 ? " file" : " files");
    invocation.print_text(
        game + ": " + count +
        (good ? " repaired"
              : " damaged; to repair: peerctl verify " + shell_word(invocation.arguments.subject) + " --repair"));
  }
  return good ? kDone : kFailed;
}

int run_rescan(Invocation& invocation) {
  const std::string& game = invocation.arguments.subject;
  const bool publish = invocation.arguments.publish;
  Json params = game.empty() ? Json() : Json{{"game", game}};
  if (publish) params["publish"] = true;
  return invocation.call_and_print("library.rescan", params, [&](const Json& answer) {
    const std::string missing = missing_roots(answer);
    if (!missing.empty()) return missing.substr(0, missing.size() - 1);
    return game.empty() ? "library scanned"
                        : printable(game) + (publish ? " published: it is offered as it is now" : " scanned");
  });
}

}  // namespace peer::ctl
