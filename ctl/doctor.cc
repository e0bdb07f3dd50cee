#include "ctl/invocation.h"
#include "ctl/text/columns.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

constexpr std::size_t kMarkWidth = 9;  ///< including the two spaces after it

std::string mark(const std::string& verdict, bool use_colour) {
  if (verdict == "good") return coloured("ok     ", Tone::good, use_colour);
  if (verdict == "warning") return coloured("warning", Tone::warning, use_colour);
  return coloured("WRONG  ", Tone::bad, use_colour);
}

}  // namespace

int run_doctor(Invocation& invocation) {
  auto result = invocation.call("doctor");
  if (!result) return invocation.fail(result.error());
  bool bad = false;
  std::string text;
  const Page page = invocation.page();
  // Indents continuation lines, so that they start below the text and not below the mark.
  const auto block = [&](const std::string& from, std::size_t indent) {
    std::string lines = wrapped(from, page.width > 2 * kMarkWidth ? page.width - kMarkWidth : 0, indent);
    for (std::size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1)) {
      lines.insert(at + 1, kMarkWidth, ' ');
    }
    return lines + "\n";
  };
  text += mark("good", page.colour) + "  socket: the daemon answers\n";
  for (const Json& finding : result->at("findings")) {
    const std::string verdict = finding.at("verdict");
    bad = bad || verdict == "bad";
    const std::string what = finding.at("subject").get<std::string>() + ": " + finding.at("text").get<std::string>();
    text += mark(verdict, page.colour) + "  " + block(printable(what), 0);
    const std::string fix = finding.at("fix");
    if (!fix.empty()) text += std::string(kMarkWidth, ' ') + block("-> " + printable(fix), 3);
  }
  if (invocation.arguments.json) {
    invocation.print_json(*result);
  } else {
    text.pop_back();
    invocation.print_text(text);
  }
  return bad ? kFailed : kDone;
}

int run_metrics(Invocation& invocation) {
  return invocation.call_and_print("metrics", {}, [](const Json& metrics) {
    std::string text = metrics.at("text");
    if (text.ends_with('\n')) text.pop_back();
    return text;
  });
}

}  // namespace peer::ctl
