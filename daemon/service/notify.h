// What systemd is told (sd_notify(3)); nothing happens where nobody listens.
#pragma once

#include <mutex>
#include <string>

namespace peer::daemon {

void notify_heartbeat();
void notify_stopping();

/// READY and RELOADING: ready when everything that was begun, the start included, has ended.
/// Loop: any thread.
class Readiness {
 public:
  /// Something is under way again: a reload.
  void begin();
  /// It, or the start, is over; `status` is what `systemctl status` shows.
  void end(const std::string& status);

 private:
  std::mutex mutex_;
  int under_way_ = 1;  ///< the start
};

}  // namespace peer::daemon
