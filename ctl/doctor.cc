#include "session.h"
#include "text/format.h"

namespace peer::ctl {
namespace {

std::string mark(const std::string& verdict, bool coloured) {
  if (verdict == "good") return painted("ok     ", Tone::good, coloured);
  if (verdict == "warning") return painted("warning", Tone::warning, coloured);
  return painted("WRONG  ", Tone::bad, coloured);
}

}  // namespace

int run_doctor(Session& session) {
  auto result = session.call("doctor");
  if (!result) return session.fail(result.error());
  bool bad = false;
  std::string text;
  const bool coloured = session.page().colour;
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
