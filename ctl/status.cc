// status: the daemon's state.
#include "ctl/invocation.h"
#include "ctl/text/format.h"

namespace peer::ctl {
namespace {

std::string joined(const Json& list) {
  std::string text;
  for (const Json& entry : list) text += (text.empty() ? "" : ", ") + entry.get<std::string>();
  return text;
}

std::string services(const Json& list) {
  std::string text;
  for (const Json& service : list) {
    text += text.empty() ? "" : ", ";
    text += service.value("name", "") + " " + service.value("state", "");
    if (const auto restarts = service.value("restarts", 0); restarts > 0) {
      text += " (restarted " + std::to_string(restarts) + (restarts == 1 ? " time)" : " times)");
    }
    if (const auto problem = service.value("problem", ""); !problem.empty()) text += " (" + problem + ")";
  }
  return text;
}

}  // namespace

int run_status(Invocation& invocation) {
  return invocation.call_and_print("status", {}, [](const Json& status) {
    std::string text;
    const auto line = [&text](const std::string& what, const std::string& value) {
      text += what + std::string(12 - what.size(), ' ') + printable(value) + "\n";
    };
    line("name", status.at("name"));
    line("peer id", status.at("peer_id"));
    const std::string listen = joined(status.at("listen"));
    line("listens on", listen.empty() ? "no address now (see QuicServer below)" : listen);
    line("access", status.at("access"));
    line("running for", human_seconds(status.at("uptime_s")) + ", peerd " + status.at("version").get<std::string>() +
                            ", pid " + status.at("pid").dump());
    line("services", services(status.at("services")));
    line("peers", status.at("peers").dump() + " connected");
    line("games", status.at("games").dump() + " offered");
    line("downloads", status.at("downloads").dump() + " in progress");
    text += missing_roots(status);
    return text;
  });
}

}  // namespace peer::ctl
