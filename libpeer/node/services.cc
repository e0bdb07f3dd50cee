// The four services, and the tasks of the runtime's own beside them.
#include <stdexcept>
#include <utility>

#include "libpeer/api/test_hooks.h"
#include "libpeer/node/runtime_state.h"

namespace peer::node {

using namespace std::chrono_literals;

/// Notes in the status when the service begins to run, again.
runtime::Service PeerMain::watched(const std::string& name, runtime::Service service) {
  return [this, name, service = std::move(service)](runtime::CancellationToken token) {
    services_[name].state = "running";
    if (environment_.test_hooks == nullptr) return service(std::move(token));
    return environment_.test_hooks->run_service(name, service, std::move(token));
  };
}

void PeerMain::start_services(runtime::Scope& required, runtime::Scope& services) {
  const auto start = [this](runtime::Scope& scope, const std::string& name, const std::string& policy_name,
                            runtime::Policy policy, runtime::Service service) {
    services_[name] = api::ServiceStatus{name, policy_name, "running", 0, {}};
    runtime::spawn_supervised(scope, name, watched(name, std::move(service)), policy,
                              [this](const runtime::ServiceExit& exit) { service_ended(exit); });
  };
  start(required, "QuicServer", "required", runtime::Required{},
        [this](runtime::CancellationToken t) { return quic_server(t); });
  start(services, "Discovery", "restart", runtime::Restart{5s},
        [this](runtime::CancellationToken t) { return run_discovery(t); });
  start(services, "Liveness", "restart", runtime::Restart{5s},
        [this](runtime::CancellationToken t) { return peers_->run_liveness(t); });
  start(services, "LocalMonitor", "best-effort", runtime::BestEffort{},
        [this](runtime::CancellationToken t) { return library_->run(t); });

  const auto announcement_ended = [this](const runtime::ServiceExit& exit) {
    offered_changed_ = true;  // whoever was not told is told by the next run
    if (exit.error) log_.error("the library could not be announced: " + runtime::describe(exit.error));
  };
  runtime::spawn_supervised(
      services, "announce library", [this](runtime::CancellationToken t) { return tell_library(std::move(t)); },
      runtime::Restart{5s}, announcement_ended);
}

void PeerMain::service_ended(const runtime::ServiceExit& exit) {
  api::ServiceStatus& status = services_[exit.name];
  const std::string error = runtime::describe(exit.error);
  if (exit.stopping) {
    if (exit.error) log_.service(exit.name).warn(exit.name + " failed while stopping: " + error);
    status.state = "stopped";
    return;
  }
  if (status.policy == "restart") {
    status.state = "restarting";
    ++status.restarts;
    log_.service(exit.name).warn(exit.name + " ended (" + error + "): it runs again in 5 s");
    emit(api::ServiceRestarted{exit.name, error, status.restarts});
    return;
  }
  status.state = "failed";
  if (status.policy == "required") {
    fail_runtime(exit.name, error);
  } else {
    log_.service(exit.name).warn(exit.name + " ended: " + error + "; everything else goes on without it");
  }
}

/// A task on the net loop without which there is no network: its end is the end of QuicServer.
runtime::Task<void> PeerMain::run_on_network(std::string name, runtime::Service service,
                                             runtime::CancellationToken token) {
  std::string error = "the " + name + " ended";
  try {
    co_await runtime::call_on(*environment_.net, name, std::move(service), token);
  } catch (const runtime::Cancelled&) {
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (token.requested() || network_over_.is_set()) co_return;
  network_error_ = error;
  network_over_.set();
}

/// Without the inbox no peer is heard any more.
runtime::Task<void> PeerMain::run_inbox(runtime::CancellationToken token) {
  std::string error = "ended";
  try {
    co_await peers_->run_inbox(token);
  } catch (const runtime::Cancelled&) {
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!token.requested()) fail_runtime("sessions", error);
}

/// Accepting is what this service adds to the serving, which itself goes on to the end: the sessions that peers opened
/// live in it, and the goodbyes go through them whatever becomes of the service.
runtime::Task<void> PeerMain::quic_server(runtime::CancellationToken token) {
  std::exception_ptr end;
  try {
    co_await set_accepting(true, token);
    co_await network_over_.wait(token);
    end = std::make_exception_ptr(std::runtime_error(network_error_));
  } catch (...) {
    end = std::current_exception();
  }
  co_await set_accepting(false, runtime::CancellationToken());
  std::rethrow_exception(end);
}

runtime::Task<void> PeerMain::set_accepting(bool accepting, runtime::CancellationToken token) {
  auto set = [this, accepting](runtime::CancellationToken) {
    net_side_->set_accepting(accepting);
    return []() -> runtime::Task<void> { co_return; }();
  };
  co_await runtime::call_on(*environment_.net, "accepting", std::move(set), std::move(token));
}

/// What is offered goes to the seeder first and to the peers then: nobody is told of what cannot be served yet.
runtime::Task<void> PeerMain::tell_library(runtime::CancellationToken token) {
  for (;;) {
    library_changed_.reset();
    const auto snapshot = library_->snapshot();
    const bool offered = std::exchange(offered_changed_, false);  // of this snapshot: another may come meanwhile
    co_await tell_network(snapshot, token);  // the same versions may be there in other files, or in fewer
    if (offered) {
      peers_->set_library(snapshot->summaries());
      const bool open = options_.settings.access.mode == access::AccessMode::open;
      if (open && environment_.discovery != nullptr) environment_.discovery->set_revision(peers_->revision());
    }
    api::LocalLibraryChanged news = library_news_.take(*snapshot);
    const bool other_offer = std::exchange(told_digest_, snapshot->digest) != snapshot->digest;
    if (other_offer || !news.added.empty() || !news.removed.empty()) emit(std::move(news));
    co_await library_changed_.wait(token);
  }
}

runtime::Task<void> PeerMain::tell_network(std::shared_ptr<const library::Snapshot> snapshot,
                                           runtime::CancellationToken token) {
  protocol::Hello self;
  self.id = options_.identity.id();
  self.name = options_.settings.name;
  self.instance = options_.instance;
  self.addresses = options_.network.addresses;
  self.revision = snapshot->revision;
  self.digest = snapshot->digest;
  auto tell = [this, snapshot, document = protocol::peer_document(self)](runtime::CancellationToken) {
    net_side_->seeder().set_snapshot(snapshot);
    net_side_->seeder().set_peer_document(document);
    return []() -> runtime::Task<void> { co_return; }();
  };
  co_await runtime::call_on(*environment_.net, "new library", std::move(tell), std::move(token));
}

}  // namespace peer::node
