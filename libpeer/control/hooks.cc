#include "libpeer/control/hooks.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>

#include "libpeer/base/fault.h"
#include "libpeer/control/hook_process.h"
#include "libpeer/control/rpc.h"
#include "libpeer/protocol/path.h"
#include "libpeer/runtime/channel.h"
#include "libpeer/runtime/loop_thread.h"
#include "libpeer/runtime/sleep.h"

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

/// What systemd tells the daemon alone.
bool is_private(std::string_view variable) {
  constexpr std::string_view kNames[] = {"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "FDSTORE="};
  return std::ranges::any_of(kNames, [&](std::string_view name) { return variable.starts_with(name); });
}

void put(std::vector<std::string>& environment, const std::string& name, const Json& value) {
  std::string variable = "PEERD_";
  for (const char c : name) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (value.is_string()) {
    environment.push_back(variable + "=" + protocol::printable(value.get_ref<const std::string&>()));
  } else if (value.is_number() || value.is_boolean()) {
    environment.push_back(variable + "=" + value.dump());
  } else if (name == "error" && value.is_object()) {
    put(environment, "error", value.at("message"));
    put(environment, "error_code", value.at("code"));
  }
}

/// The daemon's environment, and each plain field of the event as PEERD_<FIELD>.
std::vector<std::string> environment_of(const Json& params) {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!is_private(*each)) all.emplace_back(*each);
  }
  for (const auto& [name, value] : params.items()) put(all, name, value);
  return all;
}

}  // namespace

/// What runs the programs: a thread with its loop.
struct HookRunner::Side {
  struct Order {
    HookRun run;
    std::chrono::milliseconds timeout;
    std::chrono::milliseconds mercy = kMercy;
  };
  /// Hooks that wait and run together.
  struct Queue {
    explicit Queue(runtime::Executor& executor) : orders(executor, kWaiting) {}
    runtime::Channel<Order> orders;
    std::size_t running = 0;
    runtime::Event ended;
  };

  explicit Side(Log l) : log(std::move(l)) {
    thread.executor().post([this] {
      for (Queue* queue : {&games, &peers, &services}) {
        thread.scope().spawn("hooks", serve(*this, *queue, thread.scope().token()));
      }
    });
  }
  ~Side() {
    for (Queue* queue : {&games, &peers, &services}) queue->orders.close();
    thread.stop();
  }

  static runtime::Task<void> serve(Side& self, Queue& queue, runtime::CancellationToken token);
  static runtime::Task<void> run_queued(Side& self, Queue& queue, Order order, runtime::CancellationToken token);
  static runtime::Task<void> run(Side& self, Order order, runtime::CancellationToken token);
  static runtime::Task<void> attend(Side& self, HookProcess& process, const Order& order,
                                    runtime::CancellationToken token);
  static runtime::Task<void> end(runtime::Executor& executor, HookProcess& process, std::chrono::milliseconds mercy);

  const Log log;
  runtime::LoopThread thread{"hooks"};
  /// Apart: whoever joins and leaves without end pushes out no news of a download.
  Queue games{thread.executor()};
  Queue peers{thread.executor()};
  Queue services{thread.executor()};
};

runtime::Task<void> HookRunner::Side::serve(Side& self, Queue& queue, runtime::CancellationToken token) {
  while (!token.requested()) {
    auto order = co_await queue.orders.receive(token);
    if (!order) co_return;
    ++queue.running;
    const std::string name = "hook " + order->run.hook;
    self.thread.scope().spawn(name, run_queued(self, queue, std::move(*order), token));
    const auto free = [&queue] { return queue.running < kRunning; };
    co_await queue.ended.wait_until(free, token);
  }
}

runtime::Task<void> HookRunner::Side::run_queued(Side& self, Queue& queue, Order order,
                                                 runtime::CancellationToken token) {
  co_await run(self, std::move(order), token);
  --queue.running;
  queue.ended.set();
}

/// What goes wrong in one hook ends that hook alone.
runtime::Task<void> HookRunner::Side::run(Side& self, Order order, runtime::CancellationToken token) {
  HookProcess process(self.thread.uv());
  std::string failure;
  try {
    co_await attend(self, process, order, token);
  } catch (const std::exception& e) {
    failure = e.what();
  }
  if (!failure.empty()) {
    self.log.error("hook " + order.run.hook + " failed: " + failure);
    if (!process.has_ended()) co_await end(self.thread.executor(), process, order.mercy);
  }
  co_await process.finish();
}

/// Starts the program and waits for its end.
runtime::Task<void> HookRunner::Side::attend(Side& self, HookProcess& process, const Order& order,
                                             runtime::CancellationToken token) {
  const std::string what = "hook " + order.run.hook + " (" + order.run.command.front() + ")";
  if (auto started = process.start(order.run); !started) {
    self.log.warn("hook " + order.run.hook + ": " + started.error().message);
    co_return;
  }
  PEER_FAULT_POINT("hook");
  bool cancelled = false;
  try {
    const auto over = [&process](runtime::CancellationToken limited) { return process.ended(std::move(limited)); };
    co_await runtime::with_timeout(self.thread.executor(), order.timeout, over, token);
  } catch (const runtime::Cancelled&) {
    cancelled = true;
  }
  if (!process.has_ended()) {
    const std::string seconds = std::to_string(order.timeout / std::chrono::milliseconds(1)) + " ms";
    self.log.warn(what + (cancelled ? " is ended: the daemon stops" : " is ended: it has run for " + seconds));
    co_await end(self.thread.executor(), process, order.mercy);
  } else if (const std::string failure = process.failure(); !failure.empty()) {
    self.log.warn(what + ": " + failure);
  }
  process.send_signal(SIGKILL);  // what it left behind
}

runtime::Task<void> HookRunner::Side::end(runtime::Executor& executor, HookProcess& process,
                                          std::chrono::milliseconds mercy) {
  const auto over = [&process](runtime::CancellationToken limited) { return process.ended(std::move(limited)); };
  for (const int number : {SIGTERM, SIGKILL}) {
    process.send_signal(number);
    const bool ended = co_await runtime::with_timeout(executor, mercy, over, runtime::CancellationToken{});
    if (ended) co_return;
  }
}

HookRunner::HookRunner(HookSettings settings, std::string socket, Log log, std::chrono::milliseconds stop_budget)
    : settings_(std::move(settings)), socket_(std::move(socket)), log_(std::move(log)), stop_budget_(stop_budget) {}

HookRunner::~HookRunner() = default;

void HookRunner::on_event(const NumberedEvent& event) {
  const std::string_view hook = hook_of(event.name);
  if (stopped_ || hook.empty()) return;
  const auto command = settings_.commands.find(hook);
  if (command == settings_.commands.end() || command->second.empty()) return;
  try {
    offer_all(hook, command->second, Json::parse(*event.line)["params"]);
  } catch (const std::exception& e) {
    log_.error("hook " + std::string(hook) + " failed: " + e.what());
  }
}

/// One program a new game, otherwise one an event.
void HookRunner::offer_all(std::string_view hook, const std::vector<std::string>& command, const Json& params) {
  PEER_FAULT_POINT("hook order");
  if (hook != "game_added") return offer(hook, command, params);
  for (const Json& game : params.at("added")) {
    Json of_one = params;
    of_one.erase("added");
    of_one.erase("removed");
    of_one["game"] = game;
    offer(hook, command, of_one);
  }
}

void HookRunner::offer(std::string_view hook, const std::vector<std::string>& command, const Json& params) {
  if (!side_) side_ = std::make_unique<Side>(log_);
  HookRun run{std::string(hook), command, environment_of(params), to_line(params)};
  run.environment.push_back("PEERD_HOOK=" + run.hook);
  run.environment.push_back("PEERD_SOCKET=" + socket_);
  if (hook == "runtime_failed") {
    // Waits for nobody, and the stop that follows does not cancel it.
    Side::Order last{std::move(run), std::min(settings_.timeout, stop_budget_ * 3 / 4), stop_budget_ / 4};
    side_->thread.executor().post([side = side_.get(), last] {
      side->thread.scope().spawn("hook runtime_failed", Side::run(*side, last, runtime::CancellationToken{}));
    });
    return;
  }
  Side::Queue& queue = hook.starts_with("peer_")     ? side_->peers
                       : hook == "service_restarted" ? side_->services
                                                     : side_->games;
  if (queue.orders.sender().try_send({std::move(run), settings_.timeout})) return;
  if (dropped_++ % kWaiting == 0) {
    log_.warn("hook " + std::string(hook) + " is skipped: " + std::to_string(kWaiting) + " wait already (" +
              std::to_string(dropped_) + " skipped so far)");
  }
}

void HookRunner::stop() {
  if (std::exchange(stopped_, true) || !side_) return;
  side_->thread.executor().post([side = side_.get()] { side->thread.scope().request_stop(); });
}

}  // namespace peer::control
