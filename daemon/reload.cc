#include "daemon/reload.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/config/keys.h"

namespace peer::daemon {
namespace {

/// The entries of `list` that `other` does not contain.
std::vector<std::string> beyond(const std::vector<std::string>& list, const std::vector<std::string>& other) {
  std::vector<std::string> rest;
  std::ranges::copy_if(list, std::back_inserter(rest),
                       [&](const std::string& each) { return std::ranges::find(other, each) == other.end(); });
  return rest;
}

/// The keys that changed since the start and take effect only after a restart.
std::string keys_for_restart(const Config& start, const Config& then) {
  std::vector<std::string> names;
  for (const Key& key : keys()) {
    if (!key.at_once && key.value(start) != key.value(then)) names.emplace_back(key.name);
  }
  if (!beyond(start.peers, then.peers).empty()) names.emplace_back("network.peers (a peer was removed)");
  return comma_list(names);
}

/// The command that applies the changes of `then` against `now`, and the names of the changed keys.
std::pair<api::Reconfigure, std::string> changes_to_apply(const Config& now, const Config& then) {
  std::vector<std::string> names;
  api::Reconfigure command;
  command.parallel = then.parallel;
  command.reserve = then.reserve;
  command.automatic = then.automatic;
  command.peers = beyond(then.peers, now.peers);
  // A limit that is unchanged in the file keeps the value that `peerctl limit` has set.
  if (now.limit_up != then.limit_up) command.up = then.limit_up;
  if (now.limit_down != then.limit_down) command.down = then.limit_down;
  for (const Key& key : keys()) {
    if (!key.at_once || key.value(now) == key.value(then)) continue;
    if (key.name != "network.peers" || !command.peers.empty()) names.emplace_back(key.name);
  }
  return {std::move(command), comma_list(names)};
}

}  // namespace

control::HookSettings hook_settings(const Config& config) {
  control::HookSettings settings;
  settings.commands["download_finished"] = config.on_download_finished;
  settings.commands["download_failed"] = config.on_download_failed;
  settings.commands["game_added"] = config.on_game_added;
  settings.commands["peer_joined"] = config.on_peer_joined;
  settings.commands["peer_left"] = config.on_peer_left;
  settings.commands["service_restarted"] = config.on_service_restarted;
  settings.commands["runtime_failed"] = config.on_runtime_failed;
  settings.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(config.hook_timeout);
  return settings;
}

Reloader::Reloader(const DaemonOptions& options, api::CommandSender sender, ApplyHooks apply_hooks)
    : options_(options), sender_(std::move(sender)), apply_hooks_(std::move(apply_hooks)), current_(options.config) {}

void Reloader::reload(const Done& done) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  apply(done);
  apply_hooks_(hook_settings(current_));
}

void Reloader::apply(const Done& done) {
  const auto refuse = [&](const std::string& why) {
    options_.log.error("SIGHUP: " + why);
    done(why);
  };
  auto config = effective_config(options_.config_file, options_.arguments);
  if (config) {
    if (auto good = check_config(*config); !good) config = std::unexpected(good.error());
  }
  if (!config) return refuse("the configuration is invalid, so nothing was changed: " + config.error().message);
  auto [command, applied] = changes_to_apply(current_, *config);
  const std::string restart = keys_for_restart(options_.config, *config);
  if (applied.empty()) {
    done("Running");
  } else if (!sender_.send(std::move(command), [done](const Result<bool>&) { done("Running"); })) {
    return refuse("the daemon accepts no commands now, so nothing was changed: send SIGHUP again");
  }
  current_ = std::move(*config);
  std::string text = applied.empty() ? "no changed key takes effect without a restart" : "applied " + applied;
  if (!restart.empty()) text += "; restart the daemon to apply " + restart;
  options_.log.info("SIGHUP: the configuration is good: " + text);
}

void Reloader::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace peer::daemon
