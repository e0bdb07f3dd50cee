// NetworkMonitor: the interface for changes of this machine's network addresses. The daemon implements it with netlink.
#pragma once

#include <functional>
#include <memory>

#include "libpeer/base/log.h"
#include "libpeer/runtime/cancellation.h"
#include "libpeer/runtime/task.h"

namespace peer::runtime {
class UvExecutor;
}

namespace peer::discovery {

class NetworkMonitor {
 public:
  virtual ~NetworkMonitor() = default;
  /// Calls `changed` after each change until cancelled. A burst of changes counts as one. One run at a time.
  virtual runtime::Task<void> run(std::function<void()> changed, runtime::CancellationToken token) = 0;
};

/// Loop: `executor`'s. If netlink is not available, logs that once and never reports a change.
std::unique_ptr<NetworkMonitor> netlink_monitor(runtime::UvExecutor& executor, Log log);

}  // namespace peer::discovery
