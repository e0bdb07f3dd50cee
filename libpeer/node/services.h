// Services: runs the node's services under their policies, and records the status of each. Loop: control.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "libpeer/api/answers.h"
#include "libpeer/api/test_hooks.h"
#include "libpeer/base/log.h"
#include "libpeer/node/event_emitter.h"
#include "libpeer/runtime/supervisor.h"

namespace peer::node {

/// Reports the failure of a part that the node cannot run without.
using NodeFailed = std::function<void(const std::string& component, const std::string& error)>;

class Services {
 public:
  /// `hooks` may be null.
  Services(EventEmitter& events, api::TestHooks* hooks, NodeFailed failed, Log log)
      : events_(events), hooks_(hooks), failed_(std::move(failed)), log_(std::move(log)) {}

  /// Supervises a service in `scope` until the scope stops.
  void start(runtime::Scope& scope, const std::string& name, runtime::Policy policy, runtime::Service service);
  /// In the order in which they were started.
  const std::vector<api::ServiceStatus>& list() const noexcept { return list_; }
  /// The problem of a running service; empty: none.
  const std::string& problem(const std::string& name) { return find(name).problem; }
  void set_problem(const std::string& name, std::string problem) { find(name).problem = std::move(problem); }

 private:
  api::ServiceStatus& find(const std::string& name);
  runtime::Service tracked(const std::string& name, runtime::Service service);
  void on_ended(const runtime::ServiceExit& exit);

  EventEmitter& events_;
  api::TestHooks* hooks_;
  NodeFailed failed_;
  Log log_;
  std::vector<api::ServiceStatus> list_;
};

}  // namespace peer::node
