#include "daemon/daemon.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "daemon/reload.h"
#include "daemon/service/heartbeat.h"
#include "daemon/service/notify.h"
#include "daemon/signals.h"
#include "libpeer/api/peer.h"
#include "libpeer/api/test_hooks.h"
#include "libpeer/control/hooks.h"
#include "libpeer/control/server.h"
#include "libpeer/discovery/avahi_discovery.h"
#include "libpeer/host/state_directory.h"
#include "libpeer/library/inotify_watcher.h"
#include "libpeer/net/interfaces.h"
#include "libpeer/net/local_network.h"
#include "libpeer/net/resolver.h"
#include "libpeer/net/udp_socket.h"
#include "libpeer/node/service_faults.h"
#include "libpeer/runtime/call_on.h"
#include "libpeer/runtime/thread_workers.h"
#include "libpeer/runtime/uv_executor.h"
#include "libpeer/store/disk.h"
#include "libpeer/store/store.h"

namespace peer::daemon {
namespace {

constexpr unsigned kDiskThreads = 4;
constexpr unsigned kResolverThreads = 2;
/// What a clean end needs after the runtime's own shutdown time, at most.
constexpr std::chrono::milliseconds kGrace(500);

std::int64_t wall_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? std::string(name).substr(0, 64) : "peerd";
}

/// The configuration as it was last applied.
struct Reloaded {
  explicit Reloaded(Config c) : config(std::move(c)) {}
  std::mutex mutex;
  Config config;
  bool over = false;  ///< the daemon ends: a reload that comes now has nothing to apply to
};

/// Everything that outlives the loops.
struct Machine {
  explicit Machine(const DaemonOptions& o) : options(o) {}

  const DaemonOptions& options;
  access::Access access;
  std::unique_ptr<Random> random = system_random();
  std::unique_ptr<store::Disk> disk = store::posix_disk();
  std::unique_ptr<store::Store> store;
  runtime::ThreadWorkers workers{"disk", kDiskThreads};
  runtime::ThreadWorkers store_thread{"store", 1};
  /// A look-up may hang for minutes and cannot be interrupted: its threads are never joined, nor what they use
  /// destroyed.
  runtime::ThreadWorkers& resolver_threads = *new runtime::ThreadWorkers("resolver", kResolverThreads);
  std::unique_ptr<net::Resolver> resolver = net::system_resolver(resolver_threads);
  runtime::UvExecutor executor;
  std::unique_ptr<library::Watcher> watcher = library::inotify_watcher(executor, options.log.named("library"));
  std::unique_ptr<discovery::Discovery> discovery;  ///< none: mDNS is not wanted
  std::unique_ptr<discovery::NetworkMonitor> network =
      discovery::netlink_monitor(executor, options.log.named("discovery"));
  runtime::LoopThread net{"net"};
  runtime::Scope control{executor, "control", runtime::CancellationToken{}};
  std::optional<control::HookRunner> hooks;
  std::shared_ptr<Reloaded> reloaded = std::make_shared<Reloaded>(options.config);
  Readiness readiness;
  std::unique_ptr<api::TestHooks> test_hooks;  ///< null in release builds
  /// Last: its callbacks hold the peer's handle, and with it scopes below those above.
  std::unique_ptr<SignalThread> signals;
};

runtime::Task<Result<std::unique_ptr<net::DatagramSocket>>> bind(uv_loop_t* loop, net::SocketAddress address, Log log) {
  co_return net::bind_udp(loop, address, log);
}

/// The interfaces to use: as configured, and of a socket that listens on one address only that address's. An address
/// that belongs to this machine and to none of its interfaces (127.0.0.2) says nothing about them.
discovery::InterfaceFilter used_interfaces(const net::SocketAddress& bound, const Config& config) {
  discovery::InterfaceFilter filter{config.interfaces, config.ignored_interfaces};
  if (bound.is_unspecified()) return filter;
  const auto all = net::interface_addresses();
  if (!all) return filter;
  const auto has_it = [&](const net::InterfaceAddress& each) { return each.address.with_port(bound.port()) == bound; };
  if (std::ranges::any_of(*all, has_it) || !net::owns_address(bound)) filter.holding = bound;
  return filter;
}

/// "ip:port" of every way to reach a socket that listens on all interfaces.
std::vector<std::string> reachable(const net::SocketAddress& bound, const discovery::InterfaceFilter& interfaces) {
  std::vector<std::string> addresses;
  auto all = net::interface_addresses();
  if (!bound.is_unspecified() || !all) return addresses;
  for (const net::InterfaceAddress& found : interfaces.usable(std::move(*all))) {
    const std::string text = found.address.with_port(bound.port()).to_string();
    if (bound.is_v4() && !found.address.is_v4()) continue;
    if (text.find('%') == std::string::npos) addresses.push_back(text);  // a scope means nothing elsewhere
  }
  return addresses;
}

std::vector<api::LocalInterface> local_interfaces(const discovery::InterfaceFilter& configured) {
  std::vector<api::LocalInterface> list;
  const auto all = net::interface_addresses();
  if (!all) return list;
  const discovery::InterfaceFilter filter = configured.resolved(*all);
  for (const net::InterfaceAddress& each : *all) {
    if (each.up) list.push_back({each, filter.wants(each.name)});
  }
  return list;
}

/// None if it is not wanted, or if nobody else could reach this peer.
std::unique_ptr<discovery::Discovery> make_discovery(Machine& machine, const net::SocketAddress& bound,
                                                     const discovery::InterfaceFilter& interfaces) {
  if (!machine.options.config.mdns || bound.is_loopback()) return nullptr;
  return std::make_unique<discovery::AvahiDiscovery>(machine.executor, interfaces,
                                                     machine.options.log.named("discovery"));
}

#if PEERD_TEST_HOOKS
/// PEERD_TAMPER=BYTES: what is sent is right until so many bytes have gone out, and never again.
std::function<void(std::span<std::uint8_t>)> tamper_after(const char* bytes) {
  if (bytes == nullptr) return {};
  return [left = std::strtoull(bytes, nullptr, 10)](std::span<std::uint8_t> buffer) mutable {
    if (left < buffer.size()) buffer[0] ^= 1;
    left -= std::min<std::uint64_t>(left, buffer.size());
  };
}
#endif

/// What has been checked already; the file may be another by now. Fails: invalid.
Result<access::Access> access_of(const Config& config) {
  access::Access access;
  if (config.access == "paired") access.mode = access::AccessMode::paired;
  if (config.access != "party") return access;
  auto secret = load_party_key(config.party_key_file);
  if (!secret) return std::unexpected(secret.error());
  access.mode = access::AccessMode::party;
  access.secret = *secret;
  access.judge_key = [loaded = *secret, path = config.party_key_file]() -> Result<std::string> {
    const auto now = load_party_key(path);
    if (!now) return std::unexpected(now.error());
    if (*now == loaded) return path + " is good, and the one in use";
    return fail(ErrorCode::invalid, path + " holds another key than the one in use");
  };
  return access;
}

api::PeerOptions peer_options(Machine& machine, net::Identity identity, std::unique_ptr<net::DatagramSocket> socket) {
  const Config& config = machine.options.config;
  api::PeerOptions options(std::move(identity));
  options.environment.control = &machine.control;
  options.environment.net = &machine.net.scope();
  options.environment.workers = &machine.workers;
  options.environment.store_thread = &machine.store_thread;
  options.environment.disk = machine.disk.get();
  options.environment.store = machine.store.get();
  options.environment.random = machine.random.get();
  options.environment.net_random = machine.random.get();  // the system's is thread-safe
  options.environment.resolver = machine.resolver.get();
  options.environment.wall_clock = wall_clock;
  options.environment.watcher = machine.watcher.get();
  const net::SocketAddress bound = socket->local_address();
  const discovery::InterfaceFilter interfaces = used_interfaces(bound, config);
  machine.discovery = make_discovery(machine, bound, interfaces);
  options.environment.discovery = machine.discovery.get();
  options.environment.network_monitor = machine.network.get();
  options.network.addresses = reachable(bound, interfaces);
  if (bound.is_unspecified())
    options.network.find_addresses = [bound, interfaces] { return reachable(bound, interfaces); };
  options.network.can_listen = [bound] { return net::owns_address(bound); };
  options.network.list_interfaces = [interfaces] { return local_interfaces(interfaces); };
  options.judge_machine = [&machine] { return judge_machine(machine.options); };
  options.socket = std::move(socket);
  options.settings.name = config.name.empty() ? host_name() : config.name;
  std::array<std::uint8_t, 16> instance{};
  machine.random->fill(instance);
  options.instance = to_hex(instance);
  options.network.admit = [network = std::make_shared<net::LocalNetwork>(), clock = &machine.net.executor()](
                              const net::SocketAddress& remote) { return network->contains(remote, clock->now()); };
  options.settings.access = machine.access;
  options.settings.roots = config.roots;
  options.settings.protected_trees = {machine.options.state};
  for (const std::string& file : {machine.options.config_file, config.party_key_file}) {
    if (file.empty()) continue;
    const std::filesystem::path path = std::filesystem::absolute(file);
    options.settings.protected_files.push_back(path.string());
    if (path.parent_path().filename() == "peerd")
      options.settings.protected_trees.push_back(path.parent_path().string());
  }
  options.settings.settle = config.settle;
  options.settings.peers = config.peers;
  options.settings.ping = config.ping;
  options.settings.lost = config.lost;
  options.settings.shutdown_timeout = config.shutdown_timeout;
  options.settings.reserve = config.reserve;
  options.settings.parallel_downloads = config.parallel;
  options.settings.automatic = config.automatic;
  options.settings.limits = {config.limit_up, config.limit_down};
  options.log = machine.options.log;
#if PEERD_TEST_HOOKS
  machine.test_hooks = std::make_unique<node::ServiceFaults>(tamper_after(std::getenv("PEERD_TAMPER")));
  options.environment.test_hooks = machine.test_hooks.get();
#endif
  return options;
}

void announce_start(const Machine& machine, const api::PeerOptions& options) {
  const Log& log = machine.options.log;
  const net::SocketAddress bound = options.socket->local_address();
  log.info(fmt::format("peerd {} {} {} as \"{}\", peer id {}", machine.options.version,
                       net::owns_address(bound) ? "listens on" : "waits for the address", bound.to_string(),
                       options.settings.name, options.identity.id().hex()));
  for (const std::string& key : machine.options.config.without_effect) {
    log.warn(key + " has no effect in this version");
  }
  if (machine.access.mode == access::AccessMode::party) {
    log.info("access: only peers that prove the key of " + machine.options.config.party_key_file);
  } else if (machine.access.mode == access::AccessMode::paired) {
    log.info("access: only peers that are paired ('peerctl pair PEER', on both sides)");
  }
  if (!machine.discovery)
    log.info("peers are not looked for by mDNS: they are found by --peer, by others, and when they call");
}

control::SendCommand commands_to(api::CommandSender sender) {
  return [sender](api::Command command) { return sender.send(std::move(command)); };
}

void on_event(Machine& machine, control::ControlServer& server, const api::Event& event) {
  const bool failed = std::holds_alternative<api::RuntimeFailed>(event);
  const bool stops = failed || std::holds_alternative<api::ShuttingDown>(event);
  if (failed) machine.signals->set_exit_code(1);
  if (stops) {
    notify_stopping();
    machine.signals->begin_deadline(
        std::chrono::duration_cast<std::chrono::milliseconds>(machine.options.config.shutdown_timeout) + kGrace);
  }
  machine.hooks->on_event(server.publish(event));
  if (stops) machine.hooks->stop();
}

void start_signals(Machine& machine, const api::PeerRuntimeHandle& handle) {
  SignalThread::Callbacks callbacks;
  callbacks.stop = [&machine, handle](const char* signal) {
    machine.options.log.info(std::string(signal) + ": stopping");
    machine.signals->begin_deadline(
        std::chrono::duration_cast<std::chrono::milliseconds>(machine.options.config.shutdown_timeout) + kGrace);
    handle.shutdown();
  };
  auto reload = [&machine, sender = handle.sender(), current = machine.reloaded] {
    const std::lock_guard lock(current->mutex);
    if (current->over) return;
    apply_again(machine.options, current->config, sender,
                [&machine](const std::string& outcome) { machine.readiness.end(outcome); });
    machine.executor.post(
        [&machine, hooks = hook_settings(current->config)]() mutable { machine.hooks->configure(std::move(hooks)); });
  };
  callbacks.reload = [&machine, reload] {
    machine.readiness.begin();
    machine.workers.submit(reload);
  };
  machine.signals->start(std::move(callbacks));
}

/// Where systemd watches over this process.
void start_heartbeat(Machine& machine, runtime::Scope& scope) {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return;
  HeartbeatOptions options;
  options.limit = std::chrono::microseconds(microseconds);
  options.workers = &machine.workers;
  options.jobs_done = [&machine] { return machine.workers.done(); };
  options.beat = notify_heartbeat;
  options.log = machine.options.log;
  scope.spawn("heartbeat", run_heartbeat(machine.executor, std::move(options), scope.token()));
}

/// Waits for the scope's tasks; a failure is told, and is the runtime's matter otherwise.
runtime::Task<void> join(runtime::Scope& scope, const Log& log) {
  scope.request_stop();
  try {
    co_await scope.join();
  } catch (const std::exception& error) {
    log.error(scope.name() + ": " + error.what());
  }
}

runtime::Task<void> run_peer(Machine& machine, net::Identity identity, net::SocketAddress address, Result<int>& code) {
  const DaemonOptions& options = machine.options;
  auto bind_there = [loop = machine.net.uv(), address, log = options.log.named("net")](runtime::CancellationToken) {
    return bind(loop, address, log);
  };
  auto socket = co_await runtime::call_on(machine.net.scope(), "bind", bind_there, runtime::CancellationToken{});
  if (!socket) {
    code = std::unexpected(socket.error());
    co_return;
  }

  runtime::Scope outside(machine.executor, "control socket", runtime::CancellationToken{});
  control::ControlOptions server_options{options.socket, options.version, wall_clock, options.log.named("control"),
                                         options.passed_socket};
  control::ControlServer server(machine.executor, outside, std::move(server_options));
  api::PeerOptions peer = peer_options(machine, std::move(identity), std::move(*socket));
  peer.on_event = [&machine, &server](const api::Event& event) { on_event(machine, server, event); };
  announce_start(machine, peer);
  const api::PeerRuntimeHandle handle = api::start_peer(std::move(peer));
  start_signals(machine, handle);

  if (auto opened = server.open(commands_to(handle.sender())); opened) {
    outside.spawn("control server", server.run(outside.token()));
    start_heartbeat(machine, outside);
    machine.readiness.end("Running");
  } else {
    code = std::unexpected(opened.error());
    handle.shutdown();
  }
  const api::RuntimeExit end = co_await handle.wait_stopped(runtime::CancellationToken{});
  if (code && end.failed) code = 1;
  if (!end.overran.empty()) {
    for (const std::string& task : end.overran) options.log.error("did not end in time and is abandoned: " + task);
    machine.hooks.reset();  // runtime_failed has had its time; the deadline still stands
    _exit(code.value_or(2));
  }
  co_await join(outside, options.log);
  co_await join(machine.control, options.log);
}

}  // namespace

Result<int> run_daemon(const DaemonOptions& options) {
  host::raise_descriptor_limit(options.log);
  auto state = host::StateDirectory::open(options.state);
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

  Machine machine(options);
  machine.access = std::move(*access);
  machine.store = std::move(*store);
  machine.hooks.emplace(hook_settings(options.config), options.socket, options.log.named("hooks"),
                        std::chrono::duration_cast<std::chrono::milliseconds>(options.config.shutdown_timeout));
  machine.signals = std::make_unique<SignalThread>(options.log);
  Result<int> code = 0;
  machine.executor.run(run_peer(machine, std::move(*identity), *address, code));
  machine.net.stop();
  // While the deadline still stands: a program, or a reload, may hang.
  machine.hooks.reset();
  {
    const std::lock_guard lock(machine.reloaded->mutex);
    machine.reloaded->over = true;
  }
  if (code) options.log.info(*code == 0 ? "stopped" : "stopped after a failure");
  return code;
}

}  // namespace peer::daemon
