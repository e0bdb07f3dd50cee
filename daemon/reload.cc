#include "reload.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace peer::daemon {
namespace {

/// What differs, as far as it is named here.
class Differences {
 public:
  template <class T>
  bool compare(const char* name, const T& a, const T& b) {
    if (a == b) return false;
    names_ += (names_.empty() ? "" : ", ") + std::string(name);
    return true;
  }
  const std::string& names() const noexcept { return names_; }

 private:
  std::string names_;
};

std::string for_restart(const Config& now, const Config& then) {
  Differences found;
  found.compare("name", now.name, then.name);
  found.compare("library.roots", now.roots, then.roots);
  found.compare("library.settle", now.settle, then.settle);
  found.compare("network.listen", now.listen, then.listen);
  found.compare("network.interfaces", now.interfaces, then.interfaces);
  found.compare("network.ignore", now.ignored_interfaces, then.ignored_interfaces);
  found.compare("discovery.mdns", now.mdns, then.mdns);
  found.compare("liveness.ping", now.ping, then.ping);
  found.compare("liveness.lost", now.lost, then.lost);
  found.compare("runtime.shutdown_timeout", now.shutdown_timeout, then.shutdown_timeout);
  const bool dropped = std::ranges::any_of(
      now.peers, [&](const std::string& peer) { return std::ranges::find(then.peers, peer) == then.peers.end(); });
  found.compare("network.peers (one was dropped)", dropped, false);
  return found.names();
}

/// What is applied, with its names.
std::pair<node::Reconfigure, std::string> at_once(const Config& now, const Config& then) {
  Differences found;
  node::Reconfigure command;
  // Unchanged ones stay as `peerctl limit` has set them.
  if (found.compare("limits.up", now.limit_up, then.limit_up)) command.up = then.limit_up;
  if (found.compare("limits.down", now.limit_down, then.limit_down)) command.down = then.limit_down;
  found.compare("downloads.parallel", now.parallel, then.parallel);
  found.compare("downloads.reserve", now.reserve, then.reserve);
  found.compare("downloads.auto", now.automatic, then.automatic);
  command.parallel = then.parallel;
  command.reserve = then.reserve;
  command.automatic = then.automatic;
  for (const std::string& peer : then.peers) {
    if (std::ranges::find(now.peers, peer) == now.peers.end()) command.peers.push_back(peer);
  }
  found.compare("network.peers", command.peers.empty(), true);
  return {std::move(command), found.names()};
}

Result<Config> read_again(const DaemonOptions& options) {
  Config from_file;
  if (options.arguments.config_file || access(options.config_file.c_str(), F_OK) == 0) {
    auto loaded = load_config(options.config_file);
    if (!loaded) return loaded;
    from_file = std::move(*loaded);
  }
  auto merged = merge(std::move(from_file), options.arguments);
  if (!merged) return merged;
  if (auto good = check_config(*merged); !good) return std::unexpected(good.error());
  return merged;
}

}  // namespace

Result<std::string> judge_config(const DaemonOptions& options) {
  const auto config = read_again(options);
  if (!config) return std::unexpected(config.error());
  const bool is_there = access(options.config_file.c_str(), F_OK) == 0;
  return is_there ? options.config_file + " is good" : "no file, only flags";
}

void apply_again(const DaemonOptions& options, Config& current, const node::CommandSender& sender) {
  auto config = read_again(options);
  if (!config) return options.log.error("SIGHUP: the configuration is bad, nothing changes: " + config.error().message);
  auto [command, applied] = at_once(current, *config);
  const std::string restart = for_restart(options.config, *config);
  if (!applied.empty() && !sender.send(std::move(command), [](const Result<bool>&) {})) {
    return options.log.error("SIGHUP: the daemon takes no changes now");
  }
  current = std::move(*config);
  std::string text = applied.empty() ? "nothing that can be changed now has changed" : "applied " + applied;
  if (!restart.empty()) text += "; restart the daemon to apply " + restart;
  options.log.info("SIGHUP: the configuration is good: " + text);
}

}  // namespace peer::daemon
