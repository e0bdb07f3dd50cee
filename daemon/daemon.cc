#include "daemon/daemon.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/machine_findings.h"
#include "daemon/peer_settings.h"
#include "daemon/reload.h"
#include "daemon/service/heartbeat.h"
#include "daemon/service/notify.h"
#include "daemon/signals.h"
#include "libpeer/api/peer_builder.h"
#include "libpeer/control/hooks.h"
#include "libpeer/control/server.h"
#include "libpeer/host/state_directory.h"
#include "libpeer/host/system.h"
#include "libpeer/net/udp_socket.h"

namespace peer::daemon {
namespace {

/// The maximum time that a clean stop needs beyond the runtime's shutdown time.
constexpr std::chrono::milliseconds kGrace(500);

/// Logs the address and the identity of the peer, and notable settings.
void announce_start(const DaemonOptions& options, const api::PeerOptions& peer, bool has_discovery) {
  const Log& log = options.log;
  const net::SocketAddress bound = peer.socket->local_address();
  log.info(fmt::format("peerd {} {} {} as \"{}\", peer id {}", options.version,
                       net::owns_address(bound) ? "listens on" : "waits for the address", bound.to_string(),
                       peer.settings.name, peer.identity.id().hex()));
  for (const std::string& key : options.config.without_effect) log.warn(key + " has no effect in this version");
  if (peer.settings.access.mode == access::AccessMode::party) {
    log.info("access: only peers that prove the key of " + options.config.party_key_file);
  } else if (peer.settings.access.mode == access::AccessMode::paired) {
    log.info("access: only peers that are paired ('peerctl pair PEER', on both sides)");
  }
  if (!has_discovery) {
    log.info(
        "mDNS is off: this peer connects to peers given by --peer or named by other peers, and accepts connections");
  }
}

control::SendCommand commands_to(api::CommandSender sender) {
  return [sender](api::Command command) { return sender.send(std::move(command)); };
}

/// Stops the scope, waits for its tasks and logs a failure of one.
runtime::Task<void> stop_and_join(runtime::Scope& scope, const Log& log) {
  scope.request_stop();
  try {
    co_await scope.join();
  } catch (const std::exception& error) {
    log.error(scope.name() + ": " + error.what());
  }
}

/// One run of the daemon: the peer on this machine, its control socket, signals and hooks.
class Daemon {
 public:
  Daemon(const DaemonOptions& options, std::unique_ptr<store::Store> store)
      : options_(options),
        system_(std::move(store), options.log),
        hooks_(std::in_place, hook_settings(options.config), options.socket, options.log.named("hooks"),
               shutdown_timeout()),
        signals_(std::make_unique<SignalThread>(options.log, options.flush_log)) {}

  /// Runs the peer until it ends. Blocks. Fails: the peer could not start.
  Result<int> run(api::PeerBuilder peer, net::SocketAddress address);

 private:
  runtime::Task<void> run_peer(api::PeerBuilder peer, net::SocketAddress address);
  void on_event(control::ControlServer& server, const api::Event& event);
  void start_signals(const api::PeerRuntimeHandle& handle);
  void start_heartbeat(runtime::Scope& scope);
  void begin_deadline() { signals_->begin_deadline(shutdown_timeout() + kGrace); }
  std::chrono::milliseconds shutdown_timeout() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(options_.config.shutdown_timeout);
  }

  const DaemonOptions& options_;
  host::System system_;
  std::optional<control::HookRunner> hooks_;
  Readiness readiness_;
  const std::unique_ptr<api::TestHooks> test_hooks_ = test_hooks();
  std::shared_ptr<Reloader> reloader_;  ///< shared with reloads that wait for a worker
  Result<int> code_ = 0;
  /// Destroyed first: its callbacks hold the peer's handle, and with it scopes of `system_`.
  std::unique_ptr<SignalThread> signals_;
};

void Daemon::on_event(control::ControlServer& server, const api::Event& event) {
  const bool failed = std::holds_alternative<api::RuntimeFailed>(event);
  const bool stops = failed || std::holds_alternative<api::ShuttingDown>(event);
  if (failed) signals_->set_exit_code(1);
  if (stops) {
    notify_stopping();
    begin_deadline();
  }
  hooks_->on_event(server.publish(event));
  if (stops) hooks_->stop();
}

void Daemon::start_signals(const api::PeerRuntimeHandle& handle) {
  auto apply_hooks = [this](control::HookSettings settings) {
    system_.executor().post([this, hooks = std::move(settings)]() mutable { hooks_->configure(std::move(hooks)); });
  };
  reloader_ = std::make_shared<Reloader>(options_, handle.sender(), std::move(apply_hooks));
  SignalThread::Callbacks callbacks;
  callbacks.stop = [this, handle](const char* signal) {
    options_.log.info(std::string(signal) + ": stopping");
    begin_deadline();
    handle.shutdown();
  };
  callbacks.reload = [this, reloader = reloader_] {
    readiness_.begin();
    system_.workers().submit(
        [this, reloader] { reloader->reload([this](const std::string& outcome) { readiness_.end(outcome); }); });
  };
  signals_->start(std::move(callbacks));
}

/// Sends heartbeats if systemd expects them.
void Daemon::start_heartbeat(runtime::Scope& scope) {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return;
  HeartbeatOptions heartbeat;
  heartbeat.limit = std::chrono::microseconds(microseconds);
  heartbeat.workers = &system_.workers();
  heartbeat.jobs_done = [this] { return system_.workers().done(); };
  heartbeat.loops = {{"net", &system_.net_executor()}};
  heartbeat.beat = notify_heartbeat;
  heartbeat.log = options_.log;
  scope.spawn("heartbeat", run_heartbeat(system_.executor(), std::move(heartbeat), scope.token()));
}

runtime::Task<void> Daemon::run_peer(api::PeerBuilder peer, net::SocketAddress address) {
  auto socket = co_await system_.bind(address);
  if (!socket) {
    code_ = std::unexpected(socket.error());
    co_return;
  }
  const Log& log = options_.log;
  runtime::Scope outside(system_.executor(), "control socket", runtime::CancellationToken{});
  control::ControlOptions server_options{options_.socket, options_.version, host::wall_clock, log.named("control"),
                                         options_.passed_socket};
  control::ControlServer server(system_.executor(), outside, std::move(server_options));
  system_.configure(peer, std::move(*socket), interfaces_of(options_.config), options_.config.mdns);
  peer.on_event([this, &server](const api::Event& event) { on_event(server, event); });
  peer.diagnosis([this] { return machine_findings(options_); }).test_hooks(test_hooks_.get());
  announce_start(options_, peer.options(), system_.has_discovery());
  const api::PeerRuntimeHandle handle = peer.start();
  start_signals(handle);

  if (auto opened = server.open(commands_to(handle.sender())); opened) {
    outside.spawn("control server", server.run(outside.token()));
    start_heartbeat(outside);
    readiness_.end("Running");
  } else {
    code_ = std::unexpected(opened.error());
    handle.shutdown();
  }
  const api::RuntimeExit end = co_await handle.wait_stopped(runtime::CancellationToken{});
  if (code_ && end.failed) code_ = 1;
  if (!end.overran.empty()) {
    for (const std::string& task : end.overran) log.error("task did not end in time and is abandoned: " + task);
    hooks_.reset();  // waits for a runtime_failed program, within the deadline
    options_.flush_log();
    _exit(code_.value_or(2));
  }
  co_await stop_and_join(outside, log);
  co_await stop_and_join(system_.control(), log);
}

Result<int> Daemon::run(api::PeerBuilder peer, net::SocketAddress address) {
  system_.executor().run(run_peer(std::move(peer), address));
  system_.stop();
  // The deadline still applies to these waits: a program or a reload may hang.
  hooks_.reset();
  if (reloader_) reloader_->close();
  if (code_) options_.log.info(*code_ == 0 ? "stopped" : "stopped after a failure");
  return code_;
}

}  // namespace

Result<int> run_daemon(const DaemonOptions& options) {
  host::raise_descriptor_limit(options.log);
  auto state = host::StateDirectory::open(options.state, options.log);
  if (!state) return std::unexpected(state.error());
  auto identity = state->identity();
  if (!identity) return std::unexpected(identity.error());
  if (auto usable = host::prepare_roots(options.config.roots); !usable) return std::unexpected(usable.error());
  auto address = net::SocketAddress::parse(options.config.listen);
  if (!address) return std::unexpected(address.error());
  auto access = access_of(options.config);
  if (!access) return std::unexpected(access.error());
  auto store = store::open_sqlite_store(state->file("peerd.db"), options.log.named("store"));
  if (!store) return std::unexpected(store.error());

  Daemon daemon(options, std::move(*store));
  api::PeerBuilder peer(std::move(*identity), peer_settings(options, std::move(*access)));
  return daemon.run(std::move(peer), *address);
}

}  // namespace peer::daemon
