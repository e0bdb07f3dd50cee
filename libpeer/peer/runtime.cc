#include "peer/runtime.h"

#include <utility>

#include "peer/runtime_state.h"

namespace peer::node {

using namespace std::chrono_literals;

struct PeerRuntimeHandle::State {
  State(PeerOptions options, rt::Executor& control_loop)
      : control(control_loop), commands(control_loop, kMaxWaitingCommands), main(std::move(options), commands) {}
  rt::Executor& control;
  rt::Channel<Command> commands;
  PeerMain main;
  rt::Event stopped;
};

namespace {
/// Keeps the state alive while its task runs.
rt::Task<void> run_to_end(std::shared_ptr<PeerRuntimeHandle::State> state) {
  co_await state->main.run();
  state->stopped.set();
}

rt::Task<bool> wait_for(rt::Event& event, rt::CancellationToken token) {
  co_await event.wait(token);
  co_return true;
}
}  // namespace

CommandSender PeerRuntimeHandle::sender() const { return CommandSender(state_->commands.sender()); }

void PeerRuntimeHandle::shutdown() const {
  state_->control.post([state = state_] { state->main.request_shutdown(); });
}

rt::Task<RuntimeExit> PeerRuntimeHandle::wait_stopped(rt::CancellationToken token) const {
  const std::shared_ptr<State> state = state_;
  co_await state->main.stopping().wait(token);
  auto stopped = [state](rt::CancellationToken t) { return wait_for(state->stopped, t); };
  const auto in_time =
      co_await rt::with_timeout(state->control, state->main.shutdown_timeout(), std::move(stopped), token);
  RuntimeExit exit;
  exit.failed = state->main.failed();
  if (!in_time) exit.overran = state->main.alive();
  co_return exit;
}

PeerRuntimeHandle start_peer(PeerOptions options) {
  rt::Scope& control = *options.environment.control;
  auto state = std::make_shared<PeerRuntimeHandle::State>(std::move(options), control.executor());
  control.spawn("peer", run_to_end(state));
  return PeerRuntimeHandle(std::move(state));
}

PeerMain::PeerMain(PeerOptions options, rt::Channel<Command>& commands)
    : options_(std::move(options)),
      environment_(options_.environment),
      log_(options_.log.named("runtime")),
      commands_(commands),
      started_(environment_.control->executor().now()),
      inbox_stop_(endpoint_stop_.token()),
      services_stop_(inbox_stop_.token()),
      stop_(services_stop_.token()),
      root_(std::make_unique<rt::Scope>(*environment_.control, "runtime", endpoint_stop_.token())) {}

void PeerMain::emit(const Event& event) {
  if (options_.on_event) options_.on_event(event);
}

void PeerMain::request_shutdown() {
  if (!stopping_.is_set()) log_.info("stopping");
  begin_stop();
}

void PeerMain::begin_stop() {
  if (stopping_.is_set()) return;
  emit(ShuttingDown{});
  if (downloads_) downloads_->fall_silent();
  stop_.request();
  stopping_.set();
}

void PeerMain::fail_runtime(const std::string& component, const std::string& error) {
  if (stopping_.is_set()) return;  // an error during shutdown is none of the runtime
  log_.error(component + " failed: " + error);
  failed_ = true;
  emit(RuntimeFailed{component, error});
  begin_stop();
}

rt::Task<void> PeerMain::create_net_side() {
  auto create = [this](rt::CancellationToken) -> rt::Task<void> {
    net::EndpointOptions endpoint(options_.identity, environment_.net_random);
    endpoint.log = options_.log.named("quic");
    endpoint.admit = options_.admit;
    net_side_ = std::make_unique<NetSide>(*environment_.net, std::move(options_.socket), std::move(endpoint),
                                          *environment_.disk, *environment_.workers, options_.log);
    return [](PeerMain& self) -> rt::Task<void> {
      const net::SocketAddress local = self.net_side_->transport().local_address();
      self.listen_ = local.to_string();
      if (self.options_.addresses.empty() && !local.is_unspecified()) self.options_.addresses.push_back(self.listen_);
      co_return;
    }(*this);
  };
  co_await rt::call_on(*environment_.net, "open endpoint", std::move(create), rt::CancellationToken());
  transport_ = &net_side_->transport();
}

rt::Task<void> PeerMain::destroy_net_side() {
  auto destroy = [this](rt::CancellationToken) -> rt::Task<void> {
    return [](PeerMain& self) -> rt::Task<void> {
      self.net_side_.reset();
      co_return;
    }(*this);
  };
  co_await rt::call_on(*environment_.net, "close endpoint", std::move(destroy), rt::CancellationToken());
}

rt::Task<void> PeerMain::run_endpoint(rt::CancellationToken token) {
  auto start = [this](rt::CancellationToken t) { return net_side_->run(t); };
  std::string error;
  try {
    co_await rt::call_on(*environment_.net, "endpoint", std::move(start), token);
    if (!token.requested()) error = "the endpoint ended";
  } catch (const rt::Cancelled&) {
    if (!token.requested()) error = "the endpoint was cancelled";
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!error.empty()) fail_runtime("QuicServer", error);
}

void PeerMain::create_parts(rt::Scope& work) {
  library::LibraryOptions library_options;
  library_options.roots = options_.roots;
  library_options.settle = options_.settle;
  library_options.wall_clock = environment_.wall_clock;
  library_options.watcher = environment_.watcher;
  library_ = std::make_unique<library::Library>(*root_, *environment_.disk, *environment_.workers, *environment_.store,
                                                *environment_.store_thread, std::move(library_options),
                                                options_.log.named("library"));

  PeersOptions peers_options;
  peers_options.self = options_.identity.id();
  peers_options.name = options_.name;
  peers_options.instance = options_.instance;
  peers_options.addresses = options_.addresses;
  peers_options.ping = options_.ping;
  peers_options.lost = options_.lost;
  peers_options.transport = transport_;
  peers_options.resolver = environment_.resolver;
  peers_options.random = environment_.random;
  peers_options.on_event = [this](const Event& event) { emit(event); };
  peers_options.on_sources_changed = [this] { downloads_->sources_changed(); };
  peers_options.log = options_.log;
  peers_ = std::make_unique<Peers>(*root_, *environment_.net, std::move(peers_options));
  for (const std::string& address : options_.peers) peers_->add_static(address);

  DownloadsOptions downloads_options;
  downloads_options.context.control = &root_->executor();
  downloads_options.context.net = environment_.net;
  downloads_options.context.workers = environment_.workers;
  downloads_options.context.transport = transport_;
  downloads_options.context.disk = environment_.disk;
  downloads_options.context.sources = &peers_->table();
  downloads_options.context.root = options_.roots.front();
  downloads_options.context.reserve = options_.reserve;
  downloads_options.context.log = options_.log.named("transfer");
  downloads_options.table = &peers_->table();
  downloads_options.library = library_.get();
  downloads_options.store = environment_.store;
  downloads_options.store_thread = environment_.store_thread;
  downloads_options.wall_clock = environment_.wall_clock;
  downloads_options.parallel = options_.parallel_downloads;
  downloads_options.on_event = [this](const Event& event) { emit(event); };
  downloads_options.log = options_.log;
  downloads_ = std::make_unique<Downloads>(work, std::move(downloads_options));

  library_->on_change([this](bool offered) {
    offered_changed_ = offered_changed_ || offered;
    library_changed_.set();
  });
}

/// Waits for a scope whose tasks' failures were reported already.
rt::Task<void> PeerMain::join_reporting(rt::Scope& scope) {
  try {
    co_await scope.join();
  } catch (const std::exception& e) {
    log_.debug(scope.name() + ": " + e.what());
  }
}

/// An exchange of directories that a crash cut in two is completed before anything looks at the library.
rt::Task<void> PeerMain::repair_library() {
  auto repair = [disk = environment_.disk, root = options_.roots.front()](const rt::StopFlag&) {
    return transfer::recover(*disk, root);
  };
  const Result<void> repaired = co_await rt::offload(*environment_.workers, std::move(repair), rt::CancellationToken());
  if (!repaired) log_.warn("an interrupted update could not be repaired: " + repaired.error().message);
}

rt::Task<void> PeerMain::run() {
  co_await repair_library();
  co_await create_net_side();
  {
    rt::Scope endpoint(*root_, "endpoint", endpoint_stop_.token());
    endpoint.spawn("endpoint", run_endpoint(endpoint.token()));
    rt::Scope work(*root_, "work", stop_.token());
    create_parts(work);
    rt::Scope inbox(*root_, "sessions", inbox_stop_.token());
    inbox.spawn("inbox", peers_->run_inbox(inbox.token()));
    rt::Scope required(*root_, "required services", services_stop_.token());
    rt::Scope services(*root_, "services", services_stop_.token());
    start_services(required, services);
    services.spawn("announce library", tell_library(services.token()));
    work.spawn("commands", run_commands(work, work.token()));
    work.spawn("restore downloads", downloads_->restore(work.token()));
    if (!stopping_.is_set()) {
      ready_ = true;
      emit(RuntimeReady{});
    }

    co_await stopping_.wait(rt::CancellationToken());
    co_await join_reporting(work);
    co_await downloads_->stop();
    co_await say_goodbye();
    services_stop_.request();
    co_await join_reporting(required);
    co_await join_reporting(services);
    inbox_stop_.request();
    co_await join_reporting(inbox);
    downloads_.reset();
    endpoint_stop_.request();
    co_await join_reporting(endpoint);
    peers_.reset();
    library_.reset();
  }
  co_await destroy_net_side();
  root_.reset();
  log_.info("stopped");
}

rt::Task<void> PeerMain::say_goodbye() {
  // A network that is dead must not use the time that closing needs.
  rt::Deadline deadline(root_->executor(), options_.shutdown_timeout / 2, rt::CancellationToken());
  try {
    co_await peers_->say_goodbye(deadline.token());
  } catch (const rt::Cancelled&) {
    log_.debug("not every peer took the goodbye in time");
  }
}

std::vector<std::string> PeerMain::alive() const {
  std::vector<std::string> names;
  if (root_ == nullptr) return names;
  root_->visit([&](const std::string& task, const std::string& scope) { names.push_back(scope + "/" + task); });
  if (names.empty()) names.emplace_back("endpoint/close");
  return names;
}

/// Notes in the status when the service begins to run, again.
rt::Service PeerMain::watched(const std::string& name, rt::Service service) {
  return [this, name, service = std::move(service)](rt::CancellationToken token) {
    services_[name].state = "running";
    return service(std::move(token));
  };
}

void PeerMain::start_services(rt::Scope& required, rt::Scope& services) {
  const auto start = [this](rt::Scope& scope, const std::string& name, const std::string& policy_name,
                            rt::Policy policy, rt::Service service) {
    services_[name] = ServiceStatus{name, policy_name, "running", 0};
    rt::spawn_supervised(scope, name, watched(name, std::move(service)), policy,
                         [this](const rt::ServiceExit& exit) { service_ended(exit); });
  };
  start(required, "QuicServer", "required", rt::Required{}, [this](rt::CancellationToken t) { return quic_server(t); });
  start(services, "Discovery", "restart", rt::Restart{5s},
        [this](rt::CancellationToken t) { return peers_->run_static(t); });
  start(services, "Liveness", "restart", rt::Restart{5s},
        [this](rt::CancellationToken t) { return peers_->run_liveness(t); });
  start(services, "LocalMonitor", "best-effort", rt::BestEffort{},
        [this](rt::CancellationToken t) { return library_->run(t); });
}

void PeerMain::service_ended(const rt::ServiceExit& exit) {
  ServiceStatus& status = services_[exit.name];
  const std::string error = rt::describe(exit.error);
  if (exit.stopping) {
    if (exit.error) log_.warn(exit.name + " failed while stopping: " + error);
    status.state = "stopped";
    return;
  }
  if (status.policy == "restart") {
    status.state = "restarting";
    ++status.restarts;
    log_.warn(exit.name + " ended (" + error + "): it runs again in 5 s");
    emit(ServiceRestarted{exit.name, error, status.restarts});
    return;
  }
  status.state = "failed";
  if (status.policy == "required") {
    fail_runtime(exit.name, error);
  } else {
    log_.warn(exit.name + " ended: " + error + "; everything else goes on without it");
  }
}

rt::Task<void> PeerMain::quic_server(rt::CancellationToken token) {
  auto serve = [this](rt::CancellationToken t) { return net_side_->serve(peers_->session_context(), t); };
  co_await rt::call_on(*environment_.net, "serve", std::move(serve), token);
}

/// What is offered goes to the seeder first and to the peers then: nobody is told of what cannot be served yet.
rt::Task<void> PeerMain::tell_library(rt::CancellationToken token) {
  protocol::Hello self;
  self.id = options_.identity.id();
  self.name = options_.name;
  self.instance = options_.instance;
  self.addresses = options_.addresses;
  for (;;) {
    library_changed_.reset();
    const bool offered = std::exchange(offered_changed_, false);
    const auto snapshot = library_->snapshot();
    if (offered) {
      self.revision = snapshot->revision;
      self.digest = snapshot->digest;
      auto tell = [this, snapshot, document = protocol::peer_document(self)](rt::CancellationToken) {
        net_side_->seeder().set_snapshot(snapshot);
        net_side_->seeder().set_peer_document(document);
        return []() -> rt::Task<void> { co_return; }();
      };
      co_await rt::call_on(*environment_.net, "new library", std::move(tell), token);
      peers_->set_library(snapshot->summaries());
    }
    if (snapshot->revision != 0 || !snapshot->games.empty()) emit(LocalLibraryChanged{});
    co_await library_changed_.wait(token);
  }
}

}  // namespace peer::node
