#include "ctl/entries.h"

namespace peer::ctl {

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

std::string done_share(const Json& entry) {
  const double total = entry.at("bytes_total");
  return total > 0 ? percent(entry.at("bytes_done"), total) : "-";
}

std::string short_version(const Json& version, std::string_view unknown) {
  return version.is_string() ? version.get<std::string>().substr(0, 12) : std::string(unknown);
}

std::string missing_roots(const Json& answer) {
  std::string text;
  for (const Json& root : answer.value("missing_roots", Json::array())) {
    text += "missing     library root " + printable(root.at("root").get<std::string>()) + ": " +
            printable(root.at("reason").get<std::string>()) + "\n";
  }
  return text;
}

}  // namespace peer::ctl
