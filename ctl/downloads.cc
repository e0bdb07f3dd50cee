// downloads, pause, resume, move, cancel: the download queue.
#include "ctl/invocation.h"
#include "ctl/text/format.h"

namespace peer::ctl {

int run_downloads(Invocation& invocation) {
  auto result = invocation.call("downloads.list");
  if (!result) return invocation.fail(result.error());
  if (invocation.arguments.json) {
    invocation.print_json(*result);
    return kDone;
  }
  if (result->at("downloads").empty()) {
    invocation.note("no downloads");
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
               {"BOTTLENECK", false, false, 7},
               {"ERROR", false, true, 3}});
  for (const Json& entry : result->at("downloads")) {
    const Progress progress = progress_of(entry);
    const bool moving = progress.state == "downloading";
    table.row({{progress.game},
               {short_version(entry.at("version"), "?")},
               {progress.state, tone_of(progress.state)},
               {done_share(entry)},
               {human_bytes(progress.total)},
               {moving ? human_rate(progress.rate) : "-"},
               {moving && progress.eta_s >= 0 ? human_seconds(progress.eta_s) : "-"},
               {std::to_string(progress.sources)},
               {progress.bottleneck.empty() ? "-" : progress.bottleneck},
               {progress.error, Tone::warning}});
  }
  invocation.print_text(table);
  return kDone;
}

int run_pause(Invocation& invocation) {
  return invocation.call_and_print("downloads.pause", {{"game", invocation.arguments.subject}}, [&](const Json& entry) {
    const std::string game = printable(invocation.arguments.subject);
    if (entry.at("state") == "paused") return game + ": paused at " + done_share(entry);
    return game + ": " + printable(entry.at("state").get<std::string>());
  });
}

int run_resume(Invocation& invocation) {
  return invocation.call_and_print("downloads.resume", {{"game", invocation.arguments.subject}},
                                   [&](const Json&) { return printable(invocation.arguments.subject) + ": resumed"; });
}

int run_move(Invocation& invocation) {
  const std::uint64_t position = invocation.arguments.position;
  return invocation.call_and_print(
      "downloads.move", {{"game", invocation.arguments.subject}, {"position", position}}, [&](const Json&) {
        return printable(invocation.arguments.subject) + ": moved to position " + std::to_string(position);
      });
}

int run_cancel(Invocation& invocation) {
  return invocation.call_and_print("downloads.cancel", {{"game", invocation.arguments.subject}}, [&](const Json&) {
    return printable(invocation.arguments.subject) + ": cancelled";
  });
}

}  // namespace peer::ctl
