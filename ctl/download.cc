// download, downloads, and what steers them.
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "ctl/session.h"
#include "ctl/terminal.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string brief(const Json& version) { return version.is_string() ? version.get<std::string>().substr(0, 12) : "?"; }

/// By a person: it does not go on by itself.
bool held(const Json& entry) { return entry.at("state") == "paused" && !entry.at("error").is_object(); }

/// Shows how a download stands: a line a change as JSON; for people a line that is redrawn, or one now and then into a
/// file.
class Display {
 public:
  explicit Display(Session& session) : session_(session), terminal_(isatty(STDERR_FILENO) != 0) {}

  void show(const Json& entry) {
    if (session_.arguments.json) {
      if (entry != last_) session_.print(entry);
      last_ = entry;
      return;
    }
    if (session_.arguments.quiet || is_over(entry.at("state").get<std::string>())) return;
    if (terminal_) {
      // Nothing in the last column: there some terminals go on to the next line.
      const std::size_t width = page_of(STDERR_FILENO).width - 1;
      std::fprintf(stderr, "\r%s\x1b[K", progress_line(progress_of(entry), width).c_str());
      drawn_ = true;
    } else {
      write_line(progress_of(entry));
    }
  }
  /// Leaves the progress line, so that another can follow.
  void end() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
  }

 private:
  /// At each new state, and while it runs every 10 % or 10 s, at most one a second.
  void write_line(const Progress& progress) {
    const SteadyClock::duration since = SteadyClock::now() - last_line_;
    const int tenth = progress.total > 0 ? static_cast<int>(progress.done / progress.total * 10) : 0;
    const bool moved = tenth != tenth_ && since >= std::chrono::seconds(1);
    const bool waited = since >= std::chrono::seconds(progress.state == "paused" ? 60 : 10);
    if (!moved && !waited && progress.state == state_) return;
    std::fprintf(stderr, "%s\n", progress_line(progress, kWide).c_str());
    last_line_ = SteadyClock::now();
    tenth_ = tenth;
    state_ = progress.state;
  }

  static constexpr std::size_t kWide = 1000;

  Session& session_;
  const bool terminal_;
  bool drawn_ = false;
  Json last_;
  std::string state_;
  int tenth_ = 0;
  SteadyClock::time_point last_line_{};
};

/// Follows one download from its first entry to its end.
class Follower {
 public:
  Follower(Session& session, Json entry) : session_(session), display_(session), entry_(std::move(entry)) {}

  int run() {
    display_.show(entry_);
    while (!is_over(state())) {
      if (const auto failure = step()) {
        display_.end();
        return failure->kind == CallFailure::Kind::interrupted ? detached() : session_.fail(*failure);
      }
      display_.show(entry_);
    }
    display_.end();
    return verdict();
  }

 private:
  std::string state() const { return entry_.at("state").get<std::string>(); }

  /// Waits for news; what ended the waiting for good, if anything did.
  std::optional<CallFailure> step() {
    auto event = session_.client().next_event(milliseconds(250));
    if (!event) return event.error();
    if (*event && (*event)->value("event", "") == "overflow") {
      if (auto again = subscribe(session_); !again) return again.error();
    } else if (*event && (*event)->value("game", "") == session_.arguments.subject) {
      take_event(**event);
      return std::nullopt;
    }
    // What events do not tell: the time that passes, and an end that was missed.
    const SteadyClock::time_point now = SteadyClock::now();
    if (now < next_poll_) return std::nullopt;
    next_poll_ = now + std::chrono::seconds(1);
    auto list = session_.call("downloads.list");
    if (!list) {
      const bool later = list.error().code == "busy";
      return later ? std::nullopt : std::optional(list.error());
    }
    for (Json& download : list->at("downloads")) {
      if (download.at("game") == session_.arguments.subject) entry_ = std::move(download);
    }
    return std::nullopt;
  }

  void take_event(Json& event) {
    for (const char* name : {"seq", "time", "event"}) event.erase(name);
    entry_ = std::move(event);
    next_poll_ = SteadyClock::now() + std::chrono::seconds(1);
  }

  int detached() const {
    const std::string game = word(session_.arguments.subject);
    const std::string how = held(entry_) ? "the download stays paused: peerctl resume " + game + " lets it go on"
                                         : "the download goes on: peerctl download " + game + " follows it again";
    std::fprintf(stderr, "peerctl: detached; %s, peerctl cancel %s ends it\n", how.c_str(), game.c_str());
    return kInterrupted;
  }

  int verdict() const {
    const std::string end = state();
    const Progress progress = progress_of(entry_);
    if (end == "finished") {
      if (session_.arguments.json || session_.arguments.quiet) return kDone;
      const double received = entry_.at("bytes_received");
      const double seconds = entry_.at("elapsed_s");
      std::string text = plain(progress.game) + ": finished, " + human_bytes(progress.total) + ", version " +
                         brief(entry_.at("version"));
      if (received > 0) text += "; received " + human_bytes(received) + " in " + human_seconds(seconds);
      // Not received / seconds: 0.1.0 stored the bytes of a download and not its time.
      const auto rate = entry_.find("average_rate");
      if (received > 0 && rate != entry_.end() && rate->is_number()) text += ", " + human_rate(rate->get<double>());
      session_.say(text);
      return kDone;
    }
    int code = end == "cancelled" ? kCancelled : end == "peers_gone" ? kPeersGone : kFailed;
    if (end == "failed" && entry_.at("error").is_object()) {
      const std::string word = entry_.at("error").value("code", "");
      if (word == "refused" || word == "no_space" || word == "no_peer_has_it") code = exit_code(word);
    }
    if (!session_.arguments.json) {
      std::string reason = progress.error;
      if (reason.empty()) reason = end;
      reason = plain(reason);
      if (end == "peers_gone") {
        const std::string again = word(progress.game);
        reason = session_.arguments.wait_s
                     ? "all peers that have it went away, and none came back in time; peerctl resume " + again +
                           " goes on when one does"
                     : "all peers that have it went away; to wait for them: peerctl download " + again + " --wait 1h";
      }
      std::fprintf(stderr, "peerctl: %s: %s\n", plain(progress.game).c_str(), reason.c_str());
    }
    return code;
  }

 public:
  static std::expected<Json, CallFailure> subscribe(Session& session) {
    return session.call("events.subscribe",
                        {{"only",
                          {"DownloadGameFilesBegin", "DownloadGameFilesProgress", "DownloadGameFilesFinished",
                           "DownloadGameFilesFailed", "DownloadGameFilesCancelled", "DownloadGameFilesAllPeersGone",
                           "RuntimeFailed"}}});
  }

 private:
  Session& session_;
  Display display_;
  Json entry_;
  SteadyClock::time_point next_poll_{};
};

Json start_params(const Arguments& arguments) {
  Json params{{"game", arguments.subject}};
  if (arguments.version) params["version"] = *arguments.version;
  if (!arguments.from.empty()) params["from"] = arguments.from;
  if (arguments.wait_s) params["wait_s"] = *arguments.wait_s;
  return params;
}

/// Of a download that was under way already: what is not as whoever attaches may expect.
void note_differences(const Session& session, const Json& entry) {
  const std::string game = word(session.arguments.subject);
  if (held(entry)) session.note("it is paused: peerctl resume " + game + " lets it go on");
  const std::size_t limited_to = entry.contains("from") ? entry.at("from").size() : 0;
  const std::size_t named = session.arguments.from.size();
  if (named > 0 && (limited_to == 0 || limited_to > named)) {
    session.note("it was under way already and may take from other peers too; to end it first: peerctl cancel " + game);
  }
}

std::string share(const Json& entry) {
  const double total = entry.at("bytes_total");
  return total > 0 ? percent(entry.at("bytes_done"), total) : "-";
}

/// What it would take; whether it can be begun.
int show_plan(Session& session) {
  Json params = start_params(session.arguments);
  params["dry_run"] = true;
  auto plan = session.call("downloads.start", params);
  if (!plan) return session.fail(plan.error());
  const Json& error = plan->at("error");
  const int code = error.is_object() ? exit_code(error.value("code", "")) : kDone;
  if (session.arguments.json) {
    session.print(*plan);
    return code;
  }
  const auto bytes = [&](const char* name) { return human_bytes(plan->at(name).get<double>()); };
  std::string text = plain(session.arguments.subject) + ": version " + brief(plan->at("version"));
  if (plan->at("state") == "finished") {
    session.say(text + " is here already");
    return code;
  }
  text += ", " + bytes("bytes_total") + "\n";
  text += "to receive  " + bytes("bytes_to_receive") + "; " + bytes("bytes_reused") + " lie on this disk, " +
          bytes("bytes_done") + " were received before\n";
  text += "sources     " + std::to_string(plan->at("sources").size()) + "\n";
  text += "space       " + bytes("space_needed") + " needed, " + bytes("space_available") + " available, " +
          bytes("reserve") + " to stay free\n";
  text += "time        about " + human_seconds(plan->at("eta_s").get<double>()) + " at " + human_rate(plan->at("rate"));
  session.say(text);
  if (error.is_object()) std::fprintf(stderr, "peerctl: %s\n", plain(error.value("message", "")).c_str());
  return code;
}

}  // namespace

bool is_over(std::string_view state) {
  return state == "finished" || state == "failed" || state == "cancelled" || state == "peers_gone";
}

Progress progress_of(const Json& entry) {
  Progress progress;
  progress.game = entry.at("game");
  progress.state = entry.at("state");
  progress.total = entry.at("bytes_total");
  progress.done = entry.at("bytes_done");
  progress.rate = entry.at("rate");
  if (entry.at("eta_s").is_number()) progress.eta_s = entry.at("eta_s");
  progress.sources = entry.at("sources").size();
  if (entry.at("bottleneck").is_string()) progress.bottleneck = entry.at("bottleneck");
  if (entry.at("error").is_object()) progress.error = entry.at("error").value("message", "");
  return progress;
}

int run_download(Session& session) {
  const Arguments& arguments = session.arguments;
  if (arguments.dry_run) return show_plan(session);
  session.catch_interrupts();
  // First the events, then the start: so that no end is missed between them.
  if (!arguments.detach) {
    if (auto subscribed = Follower::subscribe(session); !subscribed) return session.fail(subscribed.error());
  }
  auto entry = session.call("downloads.start", start_params(arguments));
  if (!entry) return session.fail(entry.error());
  if (!arguments.detach) session.client().forget_events();
  const std::string state = entry->at("state");
  const bool here_already = state == "finished";
  if (!arguments.json) {
    const std::string version = plain(arguments.subject) + ": version " + brief(entry->at("version"));
    if (here_already) {
      session.note(version + " is here already");
      return kDone;
    }
    session.note(version + ", " + human_bytes(entry->at("bytes_total").get<double>()));
    note_differences(session, *entry);
  }
  if (arguments.detach) {
    if (arguments.json) session.print(*entry);
    return kDone;
  }
  return Follower(session, std::move(*entry)).run();
}

int run_downloads(Session& session) {
  auto result = session.call("downloads.list");
  if (!result) return session.fail(result.error());
  if (session.arguments.json) {
    session.print(*result);
    return kDone;
  }
  if (result->at("downloads").empty()) {
    session.note("no downloads");
    return kDone;
  }
  Table table({{"GAME", false, true},
               {"VERSION", false, false, 5},
               {"STATE"},
               {"DONE", true},
               {"SIZE", true, false, 4},
               {"RATE", true, false, 1},
               {"LEFT", true, false, 2},
               {"SOURCES", true, false, 6},
               {"BY", false, false, 7},
               {"ERROR", false, true, 3}});
  for (const Json& entry : result->at("downloads")) {
    const Progress progress = progress_of(entry);
    const bool moving = progress.state == "downloading";
    table.row({{progress.game},
               {brief(entry.at("version"))},
               {progress.state, tone_of(progress.state)},
               {share(entry)},
               {human_bytes(progress.total)},
               {moving ? human_rate(progress.rate) : "-"},
               {moving && progress.eta_s >= 0 ? human_seconds(progress.eta_s) : "-"},
               {std::to_string(progress.sources)},
               {progress.bottleneck.empty() ? "-" : progress.bottleneck},
               {progress.error, Tone::warning}});
  }
  session.say(table);
  return kDone;
}

int run_pause(Session& session) {
  return session.show("downloads.pause", {{"game", session.arguments.subject}}, [&](const Json& entry) {
    const std::string game = plain(session.arguments.subject);
    if (entry.at("state") == "paused") return game + ": paused at " + share(entry);
    return game + ": " + plain(entry.at("state").get<std::string>());
  });
}

int run_resume(Session& session) {
  return session.show("downloads.resume", {{"game", session.arguments.subject}},
                      [&](const Json&) { return plain(session.arguments.subject) + ": goes on in its turn"; });
}

int run_move(Session& session) {
  const std::uint64_t position = session.arguments.position;
  return session.show("downloads.move", {{"game", session.arguments.subject}, {"position", position}},
                      [&](const Json&) {
                        return plain(session.arguments.subject) + ": moved to position " + std::to_string(position);
                      });
}

int run_cancel(Session& session) {
  return session.show("downloads.cancel", {{"game", session.arguments.subject}},
                      [&](const Json&) { return plain(session.arguments.subject) + ": cancelled"; });
}

}  // namespace peer::ctl
