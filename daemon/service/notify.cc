#include "daemon/service/notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <ctime>

namespace peer::daemon {

void notify_heartbeat() { sd_notify(0, "WATCHDOG=1"); }

void notify_stopping() { sd_notify(0, "STOPPING=1\nSTATUS=Stopping"); }

void Readiness::begin() {
  const std::lock_guard lock(mutex_);
  ++in_progress_;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long long microseconds = 1'000'000LL * now.tv_sec + now.tv_nsec / 1000;
  sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds)).c_str());
}

void Readiness::end(const std::string& status) {
  const std::lock_guard lock(mutex_);
  if (--in_progress_ > 0) return;
  std::string line = status;
  std::ranges::replace(line, '\n', ' ');
  sd_notify(0, ("READY=1\nSTATUS=" + line).c_str());
}

}  // namespace peer::daemon
