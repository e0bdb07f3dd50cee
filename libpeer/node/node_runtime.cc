#include "libpeer/node/node_runtime.h"

#include <exception>
#include <optional>
#include <utility>

#include "libpeer/api/test_hooks.h"
#include "libpeer/base/fault.h"
#include "libpeer/node/endpoint_network.h"
#include "libpeer/runtime/sleep.h"
#include "libpeer/staging/recovery.h"

namespace peer::node {

/// The levels of the shutdown, outermost first. Reverse order of destruction.
struct NodeRuntime::Scopes {
  Scopes(runtime::Scope& root, const StopLevels& stop)
      : endpoint(root, "endpoint", stop.endpoint.token()),
        work(root, "work", stop.work.token()),
        inbox(root, "sessions", stop.inbox.token()),
        farewell(root, "farewell", stop.inbox.token()),
        serving(root, "serving", stop.serving.token()),
        required(root, "required services", stop.services.token()),
        services(root, "services", stop.services.token()) {}
  runtime::Scope endpoint;
  runtime::Scope work;
  runtime::Scope inbox;
  runtime::Scope farewell;
  runtime::Scope serving;
  runtime::Scope required;
  runtime::Scope services;
};

NodeRuntime::NodeRuntime(api::PeerOptions options, CommandRouter::Commands& commands)
    : options_(std::move(options)),
      commands_(commands),
      log_(options_.log.named("runtime")),
      started_(options_.environment.control->executor().now()),
      root_(std::make_unique<runtime::Scope>(*options_.environment.control, "runtime", stop_.endpoint.token())),
      listener_(options_.network),
      net_(*options_.environment.net),
      events_(options_.on_event, log_) {}

void NodeRuntime::request_shutdown() {
  if (!stopping_.is_set()) log_.info("stopping");
  begin_stop();
}

void NodeRuntime::begin_stop() {
  if (stopping_.is_set()) return;
  events_.emit(api::ShuttingDown{});
  if (parts_) {
    parts_->downloads.mute_events();
    parts_->verifier.mute_events();
  }
  stop_.work.request();
  stopping_.set();
}

/// Errors of parts that are being stopped are not failures of the node.
void NodeRuntime::fail(const std::string& component, const std::string& error) {
  if (stopping_.is_set()) return;
  log_.service(component).error(component + " failed: " + error);
  failed_ = true;
  events_.emit(api::RuntimeFailed{component, error});
  begin_stop();
}

/// Called on the net loop.
std::unique_ptr<NetLoopState> NodeRuntime::make_net_state() {
  const api::PeerEnvironment& environment = options_.environment;
  net::EndpointOptions endpoint(options_.identity, environment.net_random);
  endpoint.log = options_.log.named("quic");
  endpoint.admit = options_.network.admit;
  auto network = options_.make_network
                     ? options_.make_network(*environment.net)
                     : endpoint_network(*environment.net, std::move(options_.socket), std::move(endpoint));
  return std::make_unique<NetLoopState>(environment.net->executor(), std::move(network), options_.settings.access,
                                        options_.identity.id(), *environment.disk, *environment.workers, options_.log);
}

runtime::Task<void> NodeRuntime::open_network() {
  auto make = [this] { return make_net_state(); };
  listener_.set_address(co_await net_.open(std::move(make)));
  // Nothing is served yet. The control loop still receives what the seeder posts before the network closes.
  transfer::Seeder& seeder = net_.state().seeder();
  seeder.on_changed([this](const std::string& game) {
    options_.environment.control->executor().post([this, game] {
      if (parts_) parts_->library.report_mismatch(game);
    });
  });
  co_await net_.set_limits(options_.settings.limits);
  if (api::TestHooks* hooks = options_.environment.test_hooks; hooks != nullptr) {
    seeder.set_tamper([hooks](std::span<std::uint8_t> bytes) { hooks->tamper(bytes); });
  }
}

/// Completes or rolls back a publication that a crash interrupted, before anything reads the library.
runtime::Task<void> NodeRuntime::recover_publications() {
  auto recover = [disk = options_.environment.disk, root = options_.settings.roots.front()](const runtime::StopFlag&) {
    return staging::recover(*disk, root);
  };
  const auto recovered =
      co_await runtime::offload(*options_.environment.workers, std::move(recover), runtime::CancellationToken());
  if (!recovered) {
    log_.warn("cannot complete an interrupted update: " + recovered.error().message);
    co_return;
  }
  for (const staging::UserFiles& files : *recovered) {
    if (const std::string kept = files.describe(); !kept.empty()) log_.info(kept);
  }
}

runtime::Task<void> NodeRuntime::restore_downloads(runtime::CancellationToken token) {
  co_await parts_->downloads.restore(std::move(token));
  parts_->readiness.on_downloads_restored();
}

/// Without the inbox, no message of any peer is received.
runtime::Task<void> NodeRuntime::run_inbox(runtime::CancellationToken token) {
  std::string error = "ended";
  try {
    co_await parts_->peers.run_inbox(token);
  } catch (const runtime::Cancelled&) {
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!token.requested()) fail("sessions", error);
}

runtime::Task<void> NodeRuntime::run() {
  std::string error;
  try {
    co_await recover_publications();
    co_await open_network();
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!error.empty()) {
    stop_without_network(error);
    co_return;
  }
  co_await run_parts();
  co_await net_.close();
  root_.reset();
  log_.info("stopped");
}

runtime::Task<void> NodeRuntime::run_parts() {
  Scopes scopes(*root_, stop_);
  std::optional<CommandRouter> router;
  std::exception_ptr failure;
  try {
    co_await start_parts(scopes, router);
  } catch (...) {
    failure = std::current_exception();
  }
  // Tasks may already run, so a failed start takes the steps of a stop.
  if (failure) fail("runtime", runtime::describe(failure));
  co_await stopping_.wait(runtime::CancellationToken());
  co_await stop_tasks(scopes);
  refuse_commands(commands_);  // if the router was never started
  parts_.reset();
}

runtime::Task<void> NodeRuntime::start_parts(Scopes& scopes, std::optional<CommandRouter>& router) {
  NodeBase base{options_,  *root_,
                listener_, net_,
                events_,   [this](const std::string& component, const std::string& error) { fail(component, error); },
                started_};
  parts_ = std::make_unique<NodeParts>(std::move(base), scopes.work);
  router.emplace(
      commands_, parts_->make_handlers(), parts_->readiness,
      [this](const std::string& component, const std::string& error) { fail(component, error); },
      [this] { request_shutdown(); });
  co_await parts_->bans.load();
  co_await parts_->pairings.load();
  start_tasks(scopes);
  PEER_FAULT_POINT("start");
  scopes.work.spawn("commands", router->run(scopes.work, scopes.work.token()));
  scopes.work.spawn("restore downloads", restore_downloads(scopes.work.token()));
  scopes.work.spawn("automatic downloads", parts_->downloads.run_automatic(scopes.work.token()));
  if (!stopping_.is_set()) events_.emit(api::RuntimeReady{});
}

/// All tasks except those of `work`.
void NodeRuntime::start_tasks(Scopes& scopes) {
  scopes.services.spawn("keep bans", parts_->bans.run(scopes.services.token()));
  scopes.services.spawn("keep pairings", parts_->pairings.run(scopes.services.token()));
  scopes.endpoint.spawn("endpoint", parts_->quic.run_endpoint(scopes.endpoint.token()));
  scopes.inbox.spawn("inbox", run_inbox(scopes.inbox.token()));
  scopes.serving.spawn("serving", parts_->quic.run_serving(parts_->peers.session_context(), scopes.serving.token()));
  parts_->start_services(scopes.required, scopes.services);
}

/// Stops the levels from the inside out.
runtime::Task<void> NodeRuntime::stop_tasks(Scopes& scopes) {
  if (parts_) {
    parts_->downloads.mute_events();
    scopes.farewell.spawn("goodbye", say_goodbye());
  }
  co_await join_logging(scopes.work);
  if (parts_) co_await parts_->downloads.stop();
  work_ended_.set();
  co_await join_logging(scopes.farewell);
  stop_.services.request();
  co_await join_logging(scopes.required);
  co_await join_logging(scopes.services);
  stop_.serving.request();
  co_await join_logging(scopes.serving);
  stop_.inbox.request();
  co_await join_logging(scopes.inbox);
  stop_.endpoint.request();
  co_await join_logging(scopes.endpoint);
}

void NodeRuntime::stop_without_network(const std::string& error) {
  fail("QuicServer", error);
  refuse_commands(commands_);
  root_.reset();
}

/// Waits for a scope whose failures have been reported already.
runtime::Task<void> NodeRuntime::join_logging(runtime::Scope& scope) {
  try {
    co_await scope.join();
  } catch (const std::exception& e) {
    log_.debug(scope.name() + ": " + e.what());
  }
}

/// Sends the goodbyes when the downloads have ended. Both waits are bounded: a disk that hangs must not delay the
/// goodbyes for long, and a dead network must leave time to close the endpoint.
runtime::Task<void> NodeRuntime::say_goodbye() {
  const runtime::CancellationToken never;
  runtime::Executor& executor = root_->executor();
  static_cast<void>(co_await work_ended_.wait_for(executor, shutdown_timeout() / 5, never));
  auto goodbye = [this](runtime::CancellationToken t) { return parts_->peers.say_goodbye(std::move(t)); };
  const bool sent = co_await runtime::with_timeout(executor, shutdown_timeout() / 2, std::move(goodbye), never);
  if (!sent) log_.debug("not every peer received the goodbye in time");
}

runtime::Task<std::vector<std::string>> NodeRuntime::overrunning() const {
  return overrunning_tasks(root_.get(), *options_.environment.control, *options_.environment.net);
}

}  // namespace peer::node
