#include "daemon/reload.h"

#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/config/keys.h"

namespace peer::daemon {
namespace {

using Judgement = api::FindingVerdict;

/// Names of keys, with commas between.
std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// What is in `list` and not in `other`.
std::vector<std::string> beyond(const std::vector<std::string>& list, const std::vector<std::string>& other) {
  std::vector<std::string> rest;
  std::ranges::copy_if(list, std::back_inserter(rest),
                       [&](const std::string& each) { return std::ranges::find(other, each) == other.end(); });
  return rest;
}

/// Keys whose values differ and that take a restart, since the start.
std::string for_restart(const Config& start, const Config& then) {
  std::vector<std::string> names;
  for (const Key& key : keys()) {
    if (!key.at_once && key.value(start) != key.value(then)) names.emplace_back(key.name);
  }
  if (!beyond(start.peers, then.peers).empty()) names.emplace_back("network.peers (one was dropped)");
  return joined(names);
}

/// What is applied, with its names.
std::pair<api::Reconfigure, std::string> at_once(const Config& now, const Config& then) {
  std::vector<std::string> names;
  api::Reconfigure command;
  command.parallel = then.parallel;
  command.reserve = then.reserve;
  command.automatic = then.automatic;
  command.peers = beyond(then.peers, now.peers);
  // Unchanged ones stay as `peerctl limit` has set them.
  if (now.limit_up != then.limit_up) command.up = then.limit_up;
  if (now.limit_down != then.limit_down) command.down = then.limit_down;
  for (const Key& key : keys()) {
    if (!key.at_once || key.value(now) == key.value(then)) continue;
    if (key.name != "network.peers" || !command.peers.empty()) names.emplace_back(key.name);
  }
  return {std::move(command), joined(names)};
}

Result<Config> read_again(const DaemonOptions& options) {
  Config from_file;
  if (options.arguments.config_file || ::access(options.config_file.c_str(), F_OK) == 0) {
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

std::vector<api::Finding> judge_machine(const DaemonOptions& options) {
  std::vector<api::Finding> findings;
  const auto config = read_again(options);
  const bool is_there = ::access(options.config_file.c_str(), F_OK) == 0;
  if (!config) {
    findings.push_back(
        {Judgement::bad, "configuration", config.error().message, "mend it, then: systemctl reload peerd"});
  } else if (!config->without_effect.empty()) {
    findings.push_back({Judgement::warning, "configuration",
                        options.config_file + ": no effect in this version: " + joined(config->without_effect),
                        "take these keys out of the file"});
  } else {
    findings.push_back(
        {Judgement::good,
         "configuration",
         is_there ? options.config_file + " is good" : "no file at " + options.config_file + ", only flags",
         {}});
  }
  timex clock{};
  // Where this may not be asked, nothing is known.
  if (adjtimex(&clock) >= 0 && (clock.status & STA_UNSYNC) != 0) {
    findings.push_back({Judgement::good, "time service",
                        "none keeps the clock right: versions are told apart by file times",
                        "if clocks here differ: systemctl enable --now systemd-timesyncd"});
  }
  return findings;
}

void apply_again(const DaemonOptions& options, Config& current, const api::CommandSender& sender,
                 std::function<void(const std::string&)> done) {
  const auto refuse = [&](const std::string& why) {
    options.log.error("SIGHUP: " + why);
    done(why);
  };
  auto config = read_again(options);
  if (!config) return refuse("the configuration is bad, nothing changes: " + config.error().message);
  auto [command, applied] = at_once(current, *config);
  const std::string restart = for_restart(options.config, *config);
  if (applied.empty()) {
    done("Running");
  } else if (!sender.send(std::move(command), [done](const Result<bool>&) { done("Running"); })) {
    return refuse("the daemon takes no changes now");
  }
  current = std::move(*config);
  std::string text = applied.empty() ? "nothing that can be changed now has changed" : "applied " + applied;
  if (!restart.empty()) text += "; restart the daemon to apply " + restart;
  options.log.info("SIGHUP: the configuration is good: " + text);
}

}  // namespace peer::daemon
