#include "ctl/session.h"
#include "ctl/text/columns.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

constexpr std::size_t kMarkWidth = 9;  ///< with what follows

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
  const Page page = session.page();
  const bool coloured = page.colour;
  // Behind the marks, also where it goes on to another line.
  const auto block = [&](const std::string& from, std::size_t indent) {
    std::string lines = wrapped(from, page.width > 2 * kMarkWidth ? page.width - kMarkWidth : 0, indent);
    for (std::size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1)) {
      lines.insert(at + 1, kMarkWidth, ' ');
    }
    return lines + "\n";
  };
  text += mark("good", coloured) + "  socket: the daemon answers\n";
  for (const Json& finding : result->at("findings")) {
    const std::string verdict = finding.at("verdict");
    bad = bad || verdict == "bad";
    const std::string what = finding.at("subject").get<std::string>() + ": " + finding.at("text").get<std::string>();
    text += mark(verdict, coloured) + "  " + block(plain(what), 0);
    const std::string fix = finding.at("fix");
    if (!fix.empty()) text += std::string(kMarkWidth, ' ') + block("-> " + plain(fix), 3);
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
