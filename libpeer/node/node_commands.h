// NodeCommands: the handlers of the commands about the node itself. Loop: control.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libpeer/api/commands.h"
#include "libpeer/api/test_hooks.h"
#include "libpeer/node/doctor.h"
#include "libpeer/node/metrics.h"
#include "libpeer/node/net_loop.h"
#include "libpeer/node/node_status.h"

namespace peer::node {

class NodeCommands {
 public:
  /// Everything must outlive it; `hooks` may be null.
  NodeCommands(const NodeStatus& status, NetLoop& net, Doctor doctor, Metrics metrics, downloads::Downloads& downloads,
               sessions::Peers& peers, api::TestHooks* hooks)
      : status_(status),
        net_(net),
        doctor_(doctor),
        metrics_(metrics),
        downloads_(downloads),
        peers_(peers),
        hooks_(hooks) {}

  Result<api::Status> handle(const api::GetStatus&) { return status_.get(); }
  runtime::Task<Result<std::vector<api::TaskInfo>>> handle(api::ListTasks, runtime::CancellationToken token) {
    return status_.tasks().list(std::move(token));
  }
  Result<api::Limits> handle(const api::GetLimits&) { return net_.limits(); }
  runtime::Task<Result<api::Limits>> handle(api::SetLimits command, runtime::CancellationToken token);
  runtime::Task<Result<bool>> handle(api::Reconfigure command, runtime::CancellationToken token);
  runtime::Task<Result<std::vector<api::Finding>>> handle(api::Diagnose, runtime::CancellationToken token) {
    return doctor_.diagnose(std::move(token));
  }
  runtime::Task<Result<std::string>> handle(api::GetMetrics, runtime::CancellationToken) { return metrics_.measure(); }
  Result<bool> handle(const api::FailService& command) {
    if (hooks_ == nullptr) return fail(ErrorCode::invalid, "this peer has no test hooks");
    return hooks_->fail_service(command);
  }

 private:
  const NodeStatus& status_;
  NetLoop& net_;
  Doctor doctor_;
  Metrics metrics_;
  downloads::Downloads& downloads_;
  sessions::Peers& peers_;
  api::TestHooks* hooks_;
};

}  // namespace peer::node
