#include <unistd.h>

#include <cstdlib>

#include "session.h"
#include "text/format.h"

namespace peer::ctl {
namespace {

/// On a terminal that wants colour, a mark in it.
std::string mark(const std::string& verdict, bool coloured) {
  const auto paint = [coloured](const char* colour, const char* text) {
    return coloured ? std::string("\033[") + colour + "m" + text + "\033[0m" : std::string(text);
  };
  if (verdict == "good") return paint("32", "ok     ");
  if (verdict == "warning") return paint("33", "warning");
  return paint("31", "WRONG  ");
}

}  // namespace

int run_doctor(Session& session) {
  auto result = session.call("doctor");
  if (!result) return session.fail(result.error());
  bool bad = false;
  std::string text;
  const bool coloured = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  text += mark("good", coloured) + "  socket: the daemon answers\n";
  for (const Json& finding : result->at("findings")) {
    const std::string verdict = finding.at("verdict");
    bad = bad || verdict == "bad";
    text += mark(verdict, coloured) + "  " + plain(finding.at("subject").get<std::string>()) + ": " +
            plain(finding.at("text").get<std::string>()) + "\n";
    const std::string fix = finding.at("fix");
    if (!fix.empty()) text += "         -> " + plain(fix) + "\n";
  }
  if (session.arguments.json) {
    session.print(*result);
  } else {
    text.pop_back();
    session.say(text);
  }
  return bad ? kFailed : kDone;
}

int run_metrics(Session& session) {
  return session.show("metrics", {}, [](const Json& metrics) {
    std::string text = metrics.at("text");
    if (text.ends_with('\n')) text.pop_back();
    return text;
  });
}

}  // namespace peer::ctl
