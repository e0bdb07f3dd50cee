// The four services, and the tasks of the runtime's own beside them.
#include <stdexcept>
#include <utility>

#include "libpeer/node/runtime_state.h"

namespace peer::node {

using namespace std::chrono_literals;

/// Notes in the status when the service begins to run, again.
rt::Service PeerMain::watched(const std::string& name, rt::Service service) {
  return [this, name, service = std::move(service)](rt::CancellationToken token) {
    services_[name].state = "running";
#if PEERD_TEST_HOOKS
    return run_failing(name, service, std::move(token));
#else
    return service(std::move(token));
#endif
  };
}

void PeerMain::start_services(rt::Scope& required, rt::Scope& services) {
  const auto start = [this](rt::Scope& scope, const std::string& name, const std::string& policy_name,
                            rt::Policy policy, rt::Service service) {
    services_[name] = ServiceStatus{name, policy_name, "running", 0, {}};
    rt::spawn_supervised(scope, name, watched(name, std::move(service)), policy,
                         [this](const rt::ServiceExit& exit) { service_ended(exit); });
  };
  start(required, "QuicServer", "required", rt::Required{}, [this](rt::CancellationToken t) { return quic_server(t); });
  start(services, "Discovery", "restart", rt::Restart{5s},
        [this](rt::CancellationToken t) { return run_discovery(t); });
  start(services, "Liveness", "restart", rt::Restart{5s},
        [this](rt::CancellationToken t) { return peers_->run_liveness(t); });
  start(services, "LocalMonitor", "best-effort", rt::BestEffort{},
        [this](rt::CancellationToken t) { return library_->run(t); });

  const auto announcement_ended = [this](const rt::ServiceExit& exit) {
    offered_changed_ = true;  // whoever was not told is told by the next run
    if (exit.error) log_.error("the library could not be announced: " + rt::describe(exit.error));
  };
  rt::spawn_supervised(
      services, "announce library", [this](rt::CancellationToken t) { return tell_library(std::move(t)); },
      rt::Restart{5s}, announcement_ended);
}

void PeerMain::service_ended(const rt::ServiceExit& exit) {
  ServiceStatus& status = services_[exit.name];
  const std::string error = rt::describe(exit.error);
  if (exit.stopping) {
    if (exit.error) log_.service(exit.name).warn(exit.name + " failed while stopping: " + error);
    status.state = "stopped";
    return;
  }
  if (status.policy == "restart") {
    status.state = "restarting";
    ++status.restarts;
    log_.service(exit.name).warn(exit.name + " ended (" + error + "): it runs again in 5 s");
    emit(ServiceRestarted{exit.name, error, status.restarts});
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
rt::Task<void> PeerMain::run_on_network(std::string name, rt::Service service, rt::CancellationToken token) {
  std::string error = "the " + name + " ended";
  try {
    co_await rt::call_on(*environment_.net, name, std::move(service), token);
  } catch (const rt::Cancelled&) {
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (token.requested() || network_over_.is_set()) co_return;
  network_error_ = error;
  network_over_.set();
}

/// Without the inbox no peer is heard any more.
rt::Task<void> PeerMain::run_inbox(rt::CancellationToken token) {
  std::string error = "ended";
  try {
    co_await peers_->run_inbox(token);
  } catch (const rt::Cancelled&) {
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!token.requested()) fail_runtime("sessions", error);
}

/// Accepting is what this service adds to the serving, which itself goes on to the end: the sessions that peers opened
/// live in it, and the goodbyes go through them whatever becomes of the service.
rt::Task<void> PeerMain::quic_server(rt::CancellationToken token) {
  std::exception_ptr end;
  try {
    co_await set_accepting(true, token);
    co_await network_over_.wait(token);
    end = std::make_exception_ptr(std::runtime_error(network_error_));
  } catch (...) {
    end = std::current_exception();
  }
  co_await set_accepting(false, rt::CancellationToken());
  std::rethrow_exception(end);
}

rt::Task<void> PeerMain::set_accepting(bool accepting, rt::CancellationToken token) {
  auto set = [this, accepting](rt::CancellationToken) {
    net_side_->set_accepting(accepting);
    return []() -> rt::Task<void> { co_return; }();
  };
  co_await rt::call_on(*environment_.net, "accepting", std::move(set), std::move(token));
}

/// What is offered goes to the seeder first and to the peers then: nobody is told of what cannot be served yet.
rt::Task<void> PeerMain::tell_library(rt::CancellationToken token) {
  for (;;) {
    library_changed_.reset();
    const auto snapshot = library_->snapshot();
    const bool offered = std::exchange(offered_changed_, false);  // of this snapshot: another may come meanwhile
    co_await tell_network(snapshot, token);  // the same versions may be there in other files, or in fewer
    if (offered) {
      peers_->set_library(snapshot->summaries());
      const bool open = options_.access.mode == AccessMode::open;
      if (open && environment_.discovery != nullptr) environment_.discovery->set_revision(peers_->revision());
    }
    LocalLibraryChanged news = library_news_.take(*snapshot);
    const bool other_offer = std::exchange(told_digest_, snapshot->digest) != snapshot->digest;
    if (other_offer || !news.added.empty() || !news.removed.empty()) emit(std::move(news));
    co_await library_changed_.wait(token);
  }
}

rt::Task<void> PeerMain::tell_network(std::shared_ptr<const library::Snapshot> snapshot, rt::CancellationToken token) {
  protocol::Hello self;
  self.id = options_.identity.id();
  self.name = options_.name;
  self.instance = options_.instance;
  self.addresses = options_.addresses;
  self.revision = snapshot->revision;
  self.digest = snapshot->digest;
  auto tell = [this, snapshot, document = protocol::peer_document(self)](rt::CancellationToken) {
    net_side_->seeder().set_snapshot(snapshot);
    net_side_->seeder().set_peer_document(document);
    return []() -> rt::Task<void> { co_return; }();
  };
  co_await rt::call_on(*environment_.net, "new library", std::move(tell), std::move(token));
}

}  // namespace peer::node
