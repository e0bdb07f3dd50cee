#include "libpeer/node/services.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "libpeer/base/check.h"

namespace peer::node {

namespace {
struct PolicyName {
  const char* operator()(const runtime::Required&) const { return "required"; }
  const char* operator()(const runtime::Restart&) const { return "restart"; }
  const char* operator()(const runtime::BestEffort&) const { return "best-effort"; }
};
}  // namespace

api::ServiceStatus& Services::find(const std::string& name) {
  const auto found = std::ranges::find(list_, name, &api::ServiceStatus::name);
  PEER_CHECK(found != list_.end());
  return *found;
}

/// Sets the status to running at each start and restart.
runtime::Service Services::tracked(const std::string& name, runtime::Service service) {
  return [this, name, service = std::move(service)](runtime::CancellationToken token) {
    find(name).state = "running";
    if (hooks_ == nullptr) return service(std::move(token));
    return hooks_->run_service(name, service, std::move(token));
  };
}

void Services::start(runtime::Scope& scope, const std::string& name, runtime::Policy policy, runtime::Service service) {
  list_.push_back(api::ServiceStatus{name, std::visit(PolicyName{}, policy), "running", 0, {}});
  runtime::spawn_supervised(scope, name, tracked(name, std::move(service)), policy,
                            [this](const runtime::ServiceExit& exit) { on_ended(exit); });
}

void Services::on_ended(const runtime::ServiceExit& exit) {
  api::ServiceStatus& status = find(exit.name);
  const std::string error = runtime::describe(exit.error);
  if (exit.stopping) {
    if (exit.error) log_.service(exit.name).warn(exit.name + " failed while stopping: " + error);
    status.state = "stopped";
    return;
  }
  if (status.policy == "restart") {
    status.state = "restarting";
    ++status.restarts;
    log_.service(exit.name).warn(exit.name + " ended (" + error + "): restarting in 5 s");
    events_.emit(api::ServiceRestarted{exit.name, error, status.restarts});
    return;
  }
  status.state = "failed";
  if (status.policy == "required") {
    failed_(exit.name, error);
  } else {
    log_.service(exit.name).warn(exit.name + " ended: " + error + "; the other services continue");
  }
}

}  // namespace peer::node
