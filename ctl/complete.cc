// complete: prints names for shell completion, one per line. Prints nothing on any error, and gives up after 2 s.
#include <unistd.h>

#include <csignal>
#include <map>

#include "ctl/invocation.h"
#include "ctl/text/format.h"
#include "libpeer/control/client_events.h"
#include "libpeer/control/client_methods.h"

namespace peer::ctl {
namespace {

constexpr unsigned kTimeoutS = 2;

/// Omits names with unprintable characters: the shell would complete something else.
std::string lines(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!name.empty() && printable(name) == name) text += name + "\n";
  }
  return text;
}

std::vector<std::string> games(Invocation& invocation, const char* where) {
  std::vector<std::string> names;
  const auto list = invocation.call("games.list");
  if (!list) return names;
  for (const Json& game : list->at("games")) {
    if (*where == 0 || !game.at(where).empty()) names.push_back(game.at("id"));
  }
  return names;
}

std::vector<std::string> downloads(Invocation& invocation) {
  std::vector<std::string> names;
  const auto list = invocation.call("downloads.list");
  if (!list) return names;
  for (const Json& download : list->at("downloads")) {
    if (!is_over(download.at("state").get<std::string>())) names.push_back(download.at("game"));
  }
  return names;
}

/// Unique names. Peers that share a name, or have none, are listed by the beginning of their id.
std::vector<std::string> peers(Invocation& invocation) {
  std::map<std::string, std::vector<std::string>> ids;
  const auto list = invocation.call("peers.list");
  if (!list) return {};
  for (const Json& peer : list->at("peers")) {
    if (peer.at("peer_id").is_string()) ids[peer.value("name", "")].push_back(peer.at("peer_id"));
  }
  std::vector<std::string> names;
  for (const Json& peer : list->at("peers")) {
    if (peer.at("peer_id").is_null() && peer.at("found_by") == Json{"static"}) names.push_back(peer.at("name"));
  }
  for (const auto& [name, all] : ids) {
    if (all.size() == 1 && !name.empty()) {
      names.push_back(name);
    } else {
      for (const std::string& id : all) names.push_back(id.substr(0, 12));
    }
  }
  return names;
}

}  // namespace

int run_complete(Invocation& invocation) {
  invocation.never_start_daemon();
  std::signal(SIGALRM, [](int) { _exit(kDone); });
  alarm(kTimeoutS);
  const std::string& kind = invocation.arguments.subject;
  std::vector<std::string> names;
  if (kind == "events") names.assign(control::kEventNames.begin(), control::kEventNames.end());
  if (kind == "games") names = games(invocation, "");
  if (kind == "local-games") names = games(invocation, "local");
  if (kind == "remote-games") names = games(invocation, "remote");
  if (kind == "downloads") names = downloads(invocation);
  if (kind == "peers") names = peers(invocation);
  if (kind == "methods") {
    for (const control::MethodName& method : control::method_names()) names.emplace_back(method.name);
  }
  if (const std::string text = lines(names); !text.empty()) invocation.print_text(text);
  return kDone;
}

}  // namespace peer::ctl
