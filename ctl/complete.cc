// complete: what the shells' completions ask for. Silent whatever happens, and never slow.
#include <unistd.h>

#include <csignal>
#include <map>

#include "ctl/session.h"
#include "ctl/text/format.h"
#include "libpeer/control/client_events.h"
#include "libpeer/control/client_methods.h"

namespace peer::ctl {
namespace {

constexpr unsigned kPatienceS = 2;

/// One a line: what would look different in a shell is left out.
std::string lines(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!name.empty() && plain(name) == name) text += name + "\n";
  }
  return text;
}

std::vector<std::string> games(Session& session, const char* where) {
  std::vector<std::string> names;
  const auto list = session.call("games.list");
  if (!list) return names;
  for (const Json& game : list->at("games")) {
    if (*where == 0 || !game.at(where).empty()) names.push_back(game.at("id"));
  }
  return names;
}

std::vector<std::string> downloads(Session& session) {
  std::vector<std::string> names;
  const auto list = session.call("downloads.list");
  if (!list) return names;
  for (const Json& download : list->at("downloads")) {
    if (!is_over(download.at("state").get<std::string>())) names.push_back(download.at("game"));
  }
  return names;
}

/// Names that only one has; of the others the beginning of the id.
std::vector<std::string> peers(Session& session) {
  std::map<std::string, std::vector<std::string>> ids;
  const auto list = session.call("peers.list");
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

int run_complete(Session& session) {
  session.let_sleep();
  std::signal(SIGALRM, [](int) { _exit(kDone); });
  alarm(kPatienceS);
  const std::string& kind = session.arguments.subject;
  std::vector<std::string> names;
  if (kind == "events") names.assign(control::kEventNames.begin(), control::kEventNames.end());
  if (kind == "games") names = games(session, "");
  if (kind == "local-games") names = games(session, "local");
  if (kind == "remote-games") names = games(session, "remote");
  if (kind == "downloads") names = downloads(session);
  if (kind == "peers") names = peers(session);
  if (kind == "methods") {
    for (const control::MethodName& method : control::method_names()) names.emplace_back(method.name);
  }
  if (const std::string text = lines(names); !text.empty()) session.say(text);
  return kDone;
}

}  // namespace peer::ctl
