#include "reload.h"

#include <unistd.h>

namespace peer::daemon {
namespace {

std::string differences(const Config& now, const Config& then) {
  std::string names;
  const auto compare = [&names](const char* name, const auto& a, const auto& b) {
    if (a == b) return;
    names += names.empty() ? "" : ", ";
    names += name;
  };
  compare("name", now.name, then.name);
  compare("library.roots", now.roots, then.roots);
  compare("library.settle", now.settle, then.settle);
  compare("network.listen", now.listen, then.listen);
  compare("network.peers", now.peers, then.peers);
  compare("network.interfaces", now.interfaces, then.interfaces);
  compare("network.ignore", now.ignored_interfaces, then.ignored_interfaces);
  compare("discovery.mdns", now.mdns, then.mdns);
  compare("downloads.parallel", now.parallel, then.parallel);
  compare("downloads.reserve", now.reserve, then.reserve);
  compare("limits.up", now.limit_up, then.limit_up);
  compare("limits.down", now.limit_down, then.limit_down);
  compare("liveness.ping", now.ping, then.ping);
  compare("liveness.lost", now.lost, then.lost);
  compare("runtime.shutdown_timeout", now.shutdown_timeout, then.shutdown_timeout);
  return names;
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

void check_again(const DaemonOptions& options) {
  const auto config = read_again(options);
  if (!config) return options.log.error("SIGHUP: the configuration is bad, nothing changes: " + config.error().message);
  const std::string changed = differences(options.config, *config);
  options.log.info(changed.empty() ? "SIGHUP: the configuration is good and has not changed"
                                   : "SIGHUP: the configuration is good; restart the daemon to apply " + changed);
}

}  // namespace peer::daemon
