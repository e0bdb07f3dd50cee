// HookRunner: runs the programs that the configuration names for events.
//
// A program receives its event in PEERD_* environment variables and as JSON on its standard input.
// Loop: control; the programs run on a HookThread.
// Cancel: stop() terminates the running programs, except those of runtime_failed, which reports the stop.
// Limits: those of HookThread; an event that finds its queue full is skipped and logged. A program has
// HookSettings::timeout. A runtime_failed program starts at once; it has three quarters of the stop budget until
// SIGTERM, and the rest until SIGKILL.
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

class HookThread;

struct HookSettings {
  /// Program and arguments for each hook: download_finished, download_failed, game_added, peer_joined, peer_left,
  /// service_restarted and runtime_failed. A hook that is missing or empty runs nothing.
  std::map<std::string, std::vector<std::string>, std::less<>> commands;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};

class HookRunner {
 public:
  static constexpr std::chrono::milliseconds kTermGrace{300};

  /// `socket`: the path of the daemon's control socket, which the programs receive as PEERD_SOCKET. `stop_budget`: how
  /// long the daemon's shutdown may take.
  HookRunner(HookSettings settings, std::string socket, Log log,
             std::chrono::milliseconds stop_budget = std::chrono::seconds(2));
  HookRunner(const HookRunner&) = delete;
  HookRunner& operator=(const HookRunner&) = delete;
  /// Stops, and waits for the running programs: at most 2 * kTermGrace, or the rest of runtime_failed's time.
  ~HookRunner();

  /// Applies to later events.
  void configure(HookSettings settings) { settings_ = std::move(settings); }
  /// Fails: never; errors are logged.
  void on_event(const NumberedEvent& event);
  /// Terminates the running programs and ignores later events. Does not wait.
  void stop();

 private:
  void run_for(std::string_view hook, const std::vector<std::string>& command, const Json& params);
  void run_one(std::string_view hook, const std::vector<std::string>& command, const Json& params);

  HookSettings settings_;
  const std::string socket_;
  const Log log_;
  const std::chrono::milliseconds stop_budget_;
  bool stopped_ = false;
  std::uint64_t skipped_ = 0;
  std::unique_ptr<HookThread> thread_;  ///< created for the first event that has a program
};

}  // namespace peer::control
