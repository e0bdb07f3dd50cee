#include "libpeer/control/hooks.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "libpeer/base/fault.h"
#include "libpeer/control/hook_thread.h"
#include "libpeer/protocol/path.h"

namespace peer::control {
namespace {

/// The hook that an event runs; empty: none.
std::string_view hook_of(std::string_view event) {
  if (event == "DownloadGameFilesFinished") return "download_finished";
  if (event == "DownloadGameFilesFailed" || event == "DownloadGameFilesAllPeersGone") return "download_failed";
  if (event == "LocalLibraryChanged") return "game_added";
  if (event == "PeerConnected") return "peer_joined";
  if (event == "PeerLost" || event == "PeerGoodbye") return "peer_left";
  if (event == "ServiceRestarted") return "service_restarted";
  if (event == "RuntimeFailed") return "runtime_failed";
  return {};
}

HookSubject subject_of(std::string_view hook) {
  if (hook.starts_with("peer_")) return HookSubject::peers;
  return hook == "service_restarted" ? HookSubject::services : HookSubject::games;
}

/// Variables with which systemd addresses the daemon alone.
bool is_private(std::string_view variable) {
  constexpr std::string_view kNames[] = {"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "FDSTORE="};
  return std::ranges::any_of(kNames, [&](std::string_view name) { return variable.starts_with(name); });
}

/// Adds PEERD_NAME=value. An error object becomes two variables; other objects and arrays are left out.
void add_variable(std::vector<std::string>& environment, const std::string& name, const Json& value) {
  std::string variable = "PEERD_";
  for (const char c : name) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (value.is_string()) {
    environment.push_back(variable + "=" + protocol::printable(value.get_ref<const std::string&>()));
  } else if (value.is_number() || value.is_boolean()) {
    environment.push_back(variable + "=" + value.dump());
  } else if (name == "error" && value.is_object()) {
    add_variable(environment, "error", value.at("message"));
    add_variable(environment, "error_code", value.at("code"));
  }
}

/// The daemon's environment, and each scalar field of the event as PEERD_FIELD.
std::vector<std::string> environment_of(const Json& params) {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!is_private(*each)) all.emplace_back(*each);
  }
  for (const auto& [name, value] : params.items()) add_variable(all, name, value);
  return all;
}

}  // namespace

HookRunner::HookRunner(HookSettings settings, std::string socket, Log log, std::chrono::milliseconds stop_budget)
    : settings_(std::move(settings)), socket_(std::move(socket)), log_(std::move(log)), stop_budget_(stop_budget) {}

HookRunner::~HookRunner() = default;

void HookRunner::on_event(const NumberedEvent& event) {
  const std::string_view hook = hook_of(event.name);
  if (stopped_ || hook.empty()) return;
  const auto command = settings_.commands.find(hook);
  if (command == settings_.commands.end() || command->second.empty()) return;
  try {
    run_for(hook, command->second, Json::parse(*event.line)["params"]);
  } catch (const std::exception& e) {
    log_.error("hook " + std::string(hook) + " failed: " + e.what());
  }
}

/// Runs one program for the event; for LocalLibraryChanged, one for each added game.
void HookRunner::run_for(std::string_view hook, const std::vector<std::string>& command, const Json& params) {
  PEER_FAULT_POINT("hook order");
  if (hook != "game_added") return run_one(hook, command, params);
  for (const Json& game : params.at("added")) {
    Json of_one = params;
    of_one.erase("added");
    of_one.erase("removed");
    of_one["game"] = game;
    run_one(hook, command, of_one);
  }
}

void HookRunner::run_one(std::string_view hook, const std::vector<std::string>& command, const Json& params) {
  if (!thread_) thread_ = std::make_unique<HookThread>(log_);
  HookRun run{std::string(hook), command, environment_of(params), to_line(params)};
  run.environment.push_back("PEERD_HOOK=" + run.hook);
  run.environment.push_back("PEERD_SOCKET=" + socket_);
  if (hook == "runtime_failed") {
    thread_->start_now({std::move(run), std::min(settings_.timeout, stop_budget_ * 3 / 4), stop_budget_ / 4});
    return;
  }
  if (thread_->enqueue(subject_of(hook), {std::move(run), settings_.timeout, kTermGrace})) return;
  if (skipped_++ % HookThread::kWaiting == 0) {
    log_.warn("hook " + std::string(hook) + " skipped: " + std::to_string(HookThread::kWaiting) +
              " programs are waiting (" + std::to_string(skipped_) + " skipped so far)");
  }
}

void HookRunner::stop() {
  if (std::exchange(stopped_, true) || !thread_) return;
  thread_->stop();
}

}  // namespace peer::control
