// Notifications to systemd (sd_notify(3)). Without systemd they do nothing.
#pragma once

#include <mutex>
#include <string>

namespace peer::daemon {

void notify_heartbeat();
void notify_stopping();

/// Sends READY and RELOADING: the daemon is ready when its start and every reload have ended.
/// Loop: any thread.
class Readiness {
 public:
  /// A reload begins.
  void begin();
  /// A reload or the start has ended. `systemctl status` shows `status`.
  void end(const std::string& status);

 private:
  std::mutex mutex_;
  int in_progress_ = 1;  ///< the start
};

}  // namespace peer::daemon
