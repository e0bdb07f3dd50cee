// NetworkMonitor: tells when the machine's interfaces or addresses have changed. The seam: netlink in the daemon.
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
  /// Calls `changed` after each change, a burst being one, until cancelled. One run at a time.
  virtual runtime::Task<void> run(std::function<void()> changed, runtime::CancellationToken token) = 0;
};

/// Loop: `executor`'s. Where netlink cannot be used it says so and never tells anything.
std::unique_ptr<NetworkMonitor> netlink_monitor(runtime::UvExecutor& executor, Log log);

}  // namespace peer::discovery
