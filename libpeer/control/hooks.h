// HookRunner: runs the programs that a person has set for events, each with its event in the environment and on stdin.
//
// They run from a loop of their own: a program on a dead disk holds up nobody else.
// Loop: control. Cancel: stop() ends what runs. Limits: of the hooks for peers, and of those for games and downloads,
// kRunning at once and kWaiting behind them, what comes then is dropped and told; each has HookSettings::timeout, then
// its process group gets SIGTERM and kMercy later SIGKILL. What a program leaves running in its group ends with it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "control/events.h"
#include "control/rpc.h"

namespace peer::control {

struct HookSettings {
  /// Program and arguments, by the hook's name (download_finished, download_failed, game_added, peer_joined,
  /// peer_left); one that is not in it, or is empty, does nothing.
  std::map<std::string, std::vector<std::string>, std::less<>> commands;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};

class HookRunner {
 public:
  static constexpr std::size_t kRunning = 4;
  static constexpr std::size_t kWaiting = 64;
  static constexpr std::chrono::milliseconds kMercy{300};

  /// `socket`: this daemon's, told to the programs as PEERD_SOCKET.
  HookRunner(HookSettings settings, std::string socket, Log log);
  HookRunner(const HookRunner&) = delete;
  HookRunner& operator=(const HookRunner&) = delete;
  /// Stops, and waits for the end of what runs: 2 kMercy at most.
  ~HookRunner();

  /// For the events from now on.
  void configure(HookSettings settings) { settings_ = std::move(settings); }
  void on_event(const NumberedEvent& event);
  /// What runs is ended, and nothing more begins. Does not wait.
  void stop();

 private:
  struct Side;
  void offer(std::string_view hook, const std::vector<std::string>& command, const Json& params);

  HookSettings settings_;
  const std::string socket_;
  const Log log_;
  bool stopped_ = false;
  std::uint64_t dropped_ = 0;
  std::unique_ptr<Side> side_;  // from the first event that has a program
};

}  // namespace peer::control
