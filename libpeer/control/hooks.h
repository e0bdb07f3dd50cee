// HookRunner: runs the programs that a person has set for events, each with its event in the environment and on stdin.
//
// They run from a loop of their own: a program on a dead disk holds up nobody else.
// Loop: control. Cancel: stop() ends what runs, except runtime_failed, which is about the stop. Limits: of the hooks
// for peers, of those for services, and of those for games and downloads, kRunning at once and kWaiting behind them,
// what comes then is dropped and told; each has HookSettings::timeout, then its process group gets SIGTERM and kMercy
// later SIGKILL. runtime_failed starts at once and has three quarters of the shutdown's time, then SIGTERM, and SIGKILL
// at the end of that time. What a program leaves running in its group ends with it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libpeer/base/log.h"
#include "libpeer/control/events.h"
#include "libpeer/control/rpc.h"

namespace peer::control {

struct HookSettings {
  /// Program and arguments, by the hook's name (download_finished, download_failed, game_added, peer_joined,
  /// peer_left, service_restarted, runtime_failed); one that is not in it, or is empty, does nothing.
  std::map<std::string, std::vector<std::string>, std::less<>> commands;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};

class HookRunner {
 public:
  static constexpr std::size_t kRunning = 4;
  static constexpr std::size_t kWaiting = 64;
  static constexpr std::chrono::milliseconds kMercy{300};

  /// `socket`: this daemon's, told to the programs as PEERD_SOCKET. `stop_budget`: what the daemon's stop may take.
  HookRunner(HookSettings settings, std::string socket, Log log,
             std::chrono::milliseconds stop_budget = std::chrono::seconds(2));
  HookRunner(const HookRunner&) = delete;
  HookRunner& operator=(const HookRunner&) = delete;
  /// Stops, and waits for the end of what runs: 2 kMercy at most, for runtime_failed what is left of the stop's time.
  ~HookRunner();

  /// For the events from now on.
  void configure(HookSettings settings) { settings_ = std::move(settings); }
  /// Never fails: what goes wrong is told in the log.
  void on_event(const NumberedEvent& event);
  /// What runs is ended, and nothing more begins. Does not wait.
  void stop();

 private:
  struct Side;
  void offer_all(std::string_view hook, const std::vector<std::string>& command, const Json& params);
  void offer(std::string_view hook, const std::vector<std::string>& command, const Json& params);

  HookSettings settings_;
  const std::string socket_;
  const Log log_;
  const std::chrono::milliseconds stop_budget_;
  bool stopped_ = false;
  std::uint64_t dropped_ = 0;
  std::unique_ptr<Side> side_;  // from the first event that has a program
};

}  // namespace peer::control
